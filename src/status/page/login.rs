//! The login form, which asks for the token.

use maud::html;

use super::frame::{languages, whole};
use super::texts::Texts;

/// Makes the login form; `next` is the page to show after the login.
pub(in crate::status) fn login(
    texts: &Texts,
    next: &str,
    problem: Option<&str>,
    form_token: &str,
) -> String {
    let t = &texts.login;
    let option = html! { code { "serve --token-file" } };
    let inside = html! {
        main #main .login {
            h1 { "hookbox" }
            @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
            form.settings method="post" action="/login" {
                input type="hidden" name="token" value=(form_token);
                input type="hidden" name="next" value=(next);
                label {
                    span { (t.token) }
                    input #secret type="password" name="secret" required autofocus autocomplete="current-password";
                }
                button type="submit" { (t.go) }
            }
            p.dim { (texts.link_in(t.where_it_is, &[("option", &option)])) }
            (languages(texts, form_token))
        }
    };
    whole(texts, t.title, None, &inside)
}
