//! System errors in the words operators know: lower case, without Rust's error number.

use std::io;

/// The error's text, e.g. `address already in use`.
pub(crate) fn text(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::NotFound if error.raw_os_error().is_some() => {
            "no such file or directory".to_owned()
        }
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".to_owned(),
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        // An acronym stays as it is.
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            format!(
                "{}{}",
                first.to_lowercase(),
                text.get(first.len_utf8()..).unwrap_or_default()
            )
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_ones() {
        assert_eq!(
            text(&io::Error::from_raw_os_error(98)),
            "address already in use"
        );
        assert_eq!(
            text(&io::Error::from_raw_os_error(2)),
            "no such file or directory"
        );
        assert_eq!(text(&io::Error::from_raw_os_error(113)), "no route to host");
        assert_eq!(text(&io::Error::other("EOF")), "EOF");
    }
}
