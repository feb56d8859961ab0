//! The chat systems that events can be sent to: their limits and what their bots need.

use http::Uri;

use crate::error::{Error, Result};
use crate::model::rate::{Rate, Rates};
use crate::signature::{Scheme, Secret};

/// A chat system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chat {
    /// Slack's incoming webhooks; many other chats take the same messages.
    Slack,
    /// Discord's webhooks.
    Discord,
    /// DingTalk's custom robots.
    Dingtalk,
    /// WeCom's group robots.
    Wecom,
    /// Feishu's and Lark's custom bots.
    Feishu,
    /// Microsoft Teams, by a workflow that posts what it gets.
    Teams,
    /// Matrix: a room, by the interface that clients have.
    Matrix,
    /// Telegram's bots.
    Telegram,
    /// Mattermost's incoming webhooks.
    Mattermost,
    /// Rocket.Chat's incoming integrations.
    Rocketchat,
    /// ntfy's topics.
    Ntfy,
}

/// Default number of requests to a chat at the same time. With one, messages arrive in the order of
/// their events, and the remaining quota that a reply reports is still right when the next message
/// is sent.
pub const CONCURRENCY: u32 = 1;

const fn per_minute(count: u32) -> Rate {
    Rate::new(count, 60_000)
}

/// One per second. Short bursts are allowed, but Slack does not say how long. Source: Slack, "Rate
/// limits", incoming webhooks.
static SLACK: Rates = Rates::of(&[Rate::new(1, 1_000)]);

/// Twenty per minute; a bot that sends more is blocked for ten minutes. Source: DingTalk, "Custom
/// robot access".
static DINGTALK: Rates = Rates::of(&[per_minute(20)]);

/// Twenty per minute. Source: WeCom, "Group robot configuration".
static WECOM: Rates = Rates::of(&[per_minute(20)]);

/// Five per second and a hundred per minute. Source: Feishu, "Custom bot usage guide".
static FEISHU: Rates = Rates::of(&[Rate::new(5, 1_000), per_minute(100)]);

/// Four per second, sixty per half minute and a hundred per hour; who sends more is throttled. Source: Microsoft,
/// "Create and send messages", rate limiting for webhooks.
static TEAMS: Rates = Rates::of(&[
    Rate::new(4, 1_000),
    Rate::new(60, 30_000),
    Rate::new(100, 3_600_000),
]);

/// Ten at once, then one every five seconds: what the server Synapse allows a user by default. Source: Synapse,
/// "Configuring Synapse", `rc_message`.
static MATRIX: Rates = Rates::of(&[Rate::new(10, 50_000)]);

/// Ten per minute, for each webhook and address: a server's default. Source: Rocket.Chat, "Rate limiter".
static ROCKETCHAT: Rates = Rates::of(&[per_minute(10)]);

/// One per second to a chat, and twenty per minute to a group. Source: Telegram, "Bots FAQ", broadcasting.
static TELEGRAM: Rates = Rates::of(&[Rate::new(1, 1_000), per_minute(20)]);

/// Sixty at once, then one every five seconds: what a server allows a visitor by default. Source: ntfy,
/// "Configuring the ntfy server", rate limiting.
static NTFY: Rates = Rates::of(&[Rate::new(60, 300_000)]);

/// The hosts of those chats whose bots all have the same host.
const HOSTS: [(&str, Chat); 12] = [
    ("hooks.slack.com", Chat::Slack),
    ("hooks.slack-gov.com", Chat::Slack),
    ("discord.com", Chat::Discord),
    ("discordapp.com", Chat::Discord),
    ("ptb.discord.com", Chat::Discord),
    ("canary.discord.com", Chat::Discord),
    ("oapi.dingtalk.com", Chat::Dingtalk),
    ("qyapi.weixin.qq.com", Chat::Wecom),
    ("open.feishu.cn", Chat::Feishu),
    ("open.larksuite.com", Chat::Feishu),
    ("api.telegram.org", Chat::Telegram),
    ("ntfy.sh", Chat::Ntfy),
];

/// Where Teams's connectors were, each organisation with a host of its own. Workflows have the hosts of all
/// other workflows.
const TEAMS_HOSTS: &str = ".webhook.office.com";

names!(Chat, "chat":
    Slack = "slack",
    Discord = "discord",
    Dingtalk = "dingtalk",
    Wecom = "wecom",
    Feishu = "feishu",
    Teams = "teams",
    Matrix = "matrix",
    Telegram = "telegram",
    Mattermost = "mattermost",
    Rocketchat = "rocketchat",
    Ntfy = "ntfy",
);

impl Chat {
    /// The product's own name.
    pub fn title(self) -> &'static str {
        match self {
            Chat::Slack => "Slack",
            Chat::Discord => "Discord",
            Chat::Dingtalk => "DingTalk",
            Chat::Wecom => "WeCom",
            Chat::Feishu => "Feishu",
            Chat::Teams => "Teams",
            Chat::Matrix => "Matrix",
            Chat::Telegram => "Telegram",
            Chat::Mattermost => "Mattermost",
            Chat::Rocketchat => "Rocket.Chat",
            Chat::Ntfy => "ntfy",
        }
    }

    /// How many messages it accepts per time. Discord reports this in its replies instead, and a server of Mattermost has no
    /// limit unless its operator sets one.
    pub fn rates(self) -> Option<&'static Rates> {
        match self {
            Chat::Slack => Some(&SLACK),
            Chat::Discord | Chat::Mattermost => None,
            Chat::Dingtalk => Some(&DINGTALK),
            Chat::Wecom => Some(&WECOM),
            Chat::Feishu => Some(&FEISHU),
            Chat::Teams => Some(&TEAMS),
            Chat::Matrix => Some(&MATRIX),
            Chat::Rocketchat => Some(&ROCKETCHAT),
            Chat::Telegram => Some(&TELEGRAM),
            Chat::Ntfy => Some(&NTFY),
        }
    }

    /// The chat whose bots are at this host, for chats that have one host for all.
    pub fn of_host(uri: &Uri) -> Option<Chat> {
        let host = uri.host()?;
        if host.to_ascii_lowercase().ends_with(TEAMS_HOSTS) {
            return Some(Chat::Teams);
        }
        let known = HOSTS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(host));
        known.map(|(_, chat)| *chat)
    }

    /// Fields at the top level of a request's body that prove who sent it.
    pub fn secret_fields(self) -> &'static [&'static str] {
        match self {
            Chat::Feishu => &["sign"],
            // Whoever knows a topic reads and writes it.
            Chat::Ntfy => &["topic"],
            _ => &[],
        }
    }

    /// Checks that an endpoint's settings are valid for this chat.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a signature scheme, which no chat reads; for a secret where the URL is
    /// the only one; for a URL of another chat, or of an interface that no longer exists.
    pub fn check(self, uri: &Uri, scheme: Scheme, secret: Option<&Secret>) -> Result<()> {
        let title = self.title();
        if scheme != Scheme::None {
            return Err(Error::misuse(format!(
                "{title} reads no signature headers: give --sign none, which is the default{}",
                match self {
                    Chat::Dingtalk | Chat::Feishu =>
                        "; a robot's signing secret is given with --secret, on the command line --secret-file, --secret-env or --secret -",
                    Chat::Matrix | Chat::Ntfy => "; its token is given as --auth bearer",
                    _ => "; its URL is its only secret",
                }
            )));
        }
        if secret.is_some() && !self.signs() {
            return Err(Error::misuse(match self {
                Chat::Matrix | Chat::Ntfy => format!(
                    "{title} has no signing secret, its token is given as --auth bearer: give no --secret, and --sign none to drop one that was given before"
                ),
                _ => format!(
                    "{title} has no signing secret, its URL is its only one: give no --secret, and --sign none to drop one that was given before"
                ),
            }));
        }
        self.check_url(uri)
    }

    /// Whether its URLs look the same on every server: its messages are written by what is in them.
    fn is_anywhere(self) -> bool {
        matches!(self, Chat::Matrix | Chat::Telegram | Chat::Ntfy)
    }

    /// Whether its bots may have a signing secret.
    pub fn signs(self) -> bool {
        matches!(self, Chat::Dingtalk | Chat::Feishu)
    }

    fn check_url(self, uri: &Uri) -> Result<()> {
        let title = self.title();
        let path = uri.path();
        // Discord accepts Slack's messages at a URL that ends with /slack.
        let wanted = match Chat::of_host(uri) {
            None if self.is_anywhere() => return self.check_parts(uri),
            None => return Ok(()),
            Some(Chat::Discord) if path.trim_end_matches('/').ends_with("/slack") => Chat::Slack,
            Some(chat) => chat,
        };
        if wanted != self {
            return Err(Error::misuse(format!(
                "the URL takes the messages of {}, not of {title}; give --format {}",
                wanted.title(),
                wanted.name()
            )));
        }
        let bad = |advice: &str| {
            Err(Error::misuse(format!(
                "this is no URL of {title}'s: {advice}"
            )))
        };
        if uri.scheme_str() != Some("https") {
            return bad("it is https, or else everybody on the way reads its token");
        }
        self.check_parts(uri)
    }

    /// Checks the parts of the URL that hold who is written to.
    fn check_parts(self, uri: &Uri) -> Result<()> {
        let path = uri.path();
        let title = self.title();
        let bad = |advice: &str| {
            Err(Error::misuse(format!(
                "this is no URL of {title}'s: {advice}"
            )))
        };
        let has = |name: &str| {
            let mut pairs = uri.query().unwrap_or_default().split('&');
            pairs.any(|pair| pair.split('=').next() == Some(name))
        };
        match self {
            Chat::Slack if path.starts_with("/triggers/") || path.starts_with("/workflows/") => {
                bad("it is of a workflow, which takes other messages; make an incoming webhook")
            }
            Chat::Discord if !path.starts_with("/api/") => bad(
                "copy it from the channel's settings, Integrations, Webhooks: https://discord.com/api/webhooks/...",
            ),
            Chat::Dingtalk if !has("access_token") => {
                bad("it has no access_token; copy the whole of it, between quotation marks")
            }
            Chat::Wecom if !has("key") => {
                bad("it has no key; copy the whole of it, between quotation marks")
            }
            Chat::Feishu if path.starts_with("/open-apis/bot/hook/") => bad(
                "it is of Feishu's first robots, which take other messages; add a custom bot to the group, whose URL has /open-apis/bot/v2/hook/ in it",
            ),
            Chat::Matrix if !is_matrix_room(path) => bad(
                "write https://SERVER/_matrix/client/v3/rooms/ROOM/send/m.room.message, with the room's id, such as !abc:example.org, for ROOM",
            ),
            Chat::Telegram if !path.starts_with("/bot") || !path.ends_with("/sendMessage") => bad(
                "write https://api.telegram.org/botTOKEN/sendMessage?chat_id=CHAT, with the token that @BotFather gave",
            ),
            Chat::Telegram if !has("chat_id") => bad(
                "it has no chat_id; add ?chat_id= and the chat's number, or @ and a channel's name, between quotation marks",
            ),
            Chat::Ntfy if ntfy_topic(path).is_none() => {
                bad("write https://SERVER/TOPIC; a topic is 1 to 64 letters, digits, - or _")
            }
            _ => Ok(()),
        }
    }
}

/// Whether a path is where messages are sent to a room of Matrix.
fn is_matrix_room(path: &str) -> bool {
    let room = path
        .strip_prefix("/_matrix/client/v3/rooms/")
        .and_then(|rest| rest.strip_suffix("/send/m.room.message"));
    room.is_some_and(|room| !room.is_empty() && !room.contains('/'))
}

/// The topic of a path that is one of ntfy's.
pub fn ntfy_topic(path: &str) -> Option<&str> {
    const CHARS_MAX: usize = 64;
    let topic = path.strip_prefix('/')?.trim_end_matches('/');
    let is_named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=CHARS_MAX).contains(&topic.len()) && topic.bytes().all(is_named)).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chat: Chat, url: &str, scheme: Scheme, secret: Option<&str>) -> Result<()> {
        let secret = secret.map(|text| Secret::new(text).unwrap());
        chat.check(&url.parse().unwrap(), scheme, secret.as_ref())
    }

    #[test]
    fn a_url_or_secret_that_the_chat_does_not_know_is_refused_with_advice() {
        use Scheme::{Gogs, None as Unsigned};
        for (chat, url, scheme, secret, says) in [
            (
                Chat::Slack,
                "https://hooks.slack.com/services/T/B/x",
                Unsigned,
                None,
                None,
            ),
            (
                Chat::Slack,
                "https://mattermost.example.org/hooks/x",
                Unsigned,
                None,
                None,
            ),
            (
                Chat::Slack,
                "https://discord.com/api/webhooks/1/x/slack",
                Unsigned,
                None,
                None,
            ),
            (
                Chat::Slack,
                "https://discord.com/api/webhooks/1/x",
                Unsigned,
                None,
                Some("--format discord"),
            ),
            (
                Chat::Slack,
                "https://hooks.slack.com/x",
                Gogs,
                Some("s"),
                Some("--sign none"),
            ),
            (
                Chat::Wecom,
                "https://qyapi.weixin.qq.com/x",
                Unsigned,
                Some("s"),
                Some("no --secret"),
            ),
            (
                Chat::Dingtalk,
                "https://oapi.dingtalk.com/robot/send?access_token=x",
                Unsigned,
                Some("SEC1"),
                None,
            ),
            (
                Chat::Dingtalk,
                "https://open.feishu.cn/open-apis/bot/v2/hook/x",
                Unsigned,
                None,
                Some("--format feishu"),
            ),
            (
                Chat::Feishu,
                "https://open.larksuite.com/open-apis/bot/v2/hook/x",
                Unsigned,
                Some("s"),
                None,
            ),
            (
                Chat::Feishu,
                "https://open.feishu.cn/open-apis/bot/hook/x",
                Unsigned,
                None,
                Some("/v2/hook/"),
            ),
        ] {
            let result = check(chat, url, scheme, secret);
            match says {
                None => result.unwrap(),
                Some(says) => {
                    let error = result.unwrap_err().to_string();
                    assert!(error.contains(says), "{url}: {error}");
                }
            }
        }
    }
}
