//! Telling whoever started the server how far it is, as systemd's `sd_notify` does.
//!
//! `kpkg cluster start` listens the same way as systemd, and understands two fields more: why the
//! server gave up, and what the user may do about it.

use std::{
    ffi::OsString,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// The variable that names the socket.
pub(crate) const VARIABLE: &str = "NOTIFY_SOCKET";

/// The one who started us, if it wants to know.
#[derive(Debug, Clone)]
pub(crate) struct Notifier {
    socket: Option<OsString>,
}

/// What a server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// What it does now.
    Status(String),
    /// It serves, and its node is ready.
    Ready,
    /// It gave up.
    Failed { error: String, hint: Option<String> },
    /// It is going down.
    Stopping,
}

impl Notifier {
    /// As `NOTIFY_SOCKET` says.
    pub(crate) fn from_env() -> Self {
        Self { socket: std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) }
    }

    /// Tells; nobody listening is no failure.
    pub(crate) fn tell(&self, notice: &Notice) {
        if let Notice::Status(text) = notice {
            tracing::info!("{text}");
        }
        let Some(name) = &self.socket else { return };
        let sent = address(name)
            .and_then(|address| Ok((address, UnixDatagram::unbound()?)))
            .and_then(|(address, socket)| socket.send_to_addr(notice.encode().as_bytes(), &address));
        if let Err(error) = sent {
            tracing::debug!(%error, "cannot notify");
        }
    }
}

impl Notice {
    fn encode(&self) -> String {
        let line = |text: &str| text.replace('\n', "\u{1f}");
        match self {
            Self::Status(text) => format!("STATUS={}", line(text)),
            Self::Ready => "READY=1\nSTATUS=ready".to_owned(),
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::Failed { error, hint } => format!(
                "STATUS=failed\nX_KPKG_ERROR={}\nX_KPKG_HINT={}",
                line(error),
                line(hint.as_deref().unwrap_or_default())
            ),
        }
    }

    /// Reads a datagram.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.replace('\u{1f}', "\n"))
        };
        if let Some(error) = field("X_KPKG_ERROR") {
            return Some(Self::Failed { error, hint: field("X_KPKG_HINT").filter(|hint| !hint.is_empty()) });
        }
        match (field("READY"), field("STOPPING"), field("STATUS")) {
            (Some(_), ..) => Some(Self::Ready),
            (_, Some(_), _) => Some(Self::Stopping),
            (.., status) => status.map(Self::Status),
        }
    }
}

/// A path, or a name in the abstract namespace after `@`.
pub(crate) fn address(name: &std::ffi::OsStr) -> std::io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_read_back() {
        for notice in [
            Notice::Status("opening the store".to_owned()),
            Notice::Ready,
            Notice::Stopping,
            Notice::Failed { error: "no\nway".to_owned(), hint: Some("try\nthis".to_owned()) },
            Notice::Failed { error: "no".to_owned(), hint: None },
        ] {
            assert_eq!(Notice::decode(&notice.encode()), Some(notice));
        }
    }
}
