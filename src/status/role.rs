//! What a client may do.

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Read.
    Reader,
    /// Read and change.
    Operator,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Operator => "operator",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Role> {
        let roles = [Role::Reader, Role::Operator];
        roles.into_iter().find(|role| role.name() == name)
    }
}
