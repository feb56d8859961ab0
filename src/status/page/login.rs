//! The form that asks for the token.

use maud::html;

use super::whole;

/// The login form; `next` is where to go then.
pub(in crate::status) fn login(next: &str, problem: Option<&str>, form_token: &str) -> String {
    let inside = html! {
        main #main .login {
            h1 { "hookbox" }
            @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
            form.settings method="post" action="/login" {
                input type="hidden" name="token" value=(form_token);
                input type="hidden" name="next" value=(next);
                label {
                    span { "Token" }
                    input #secret type="password" name="secret" required autofocus autocomplete="current-password";
                }
                button type="submit" { "Log in" }
            }
            p.dim { "It stands in the file that " code { "serve --token-file" } " was given." }
        }
    };
    whole("Log in", false, &inside)
}
