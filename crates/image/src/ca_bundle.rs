//! The certificate authorities that programs in the proxy's image trust, as the PEM file that every TLS library looks for.
//!
//! The image is made from nothing, so no distribution brings the file; without it the proxy could not tell a real certificate
//! issuer from a false one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Base64 characters in a line (RFC 7468).
const WIDTH: usize = 64;

/// Mozilla's roots for TLS servers, one PEM block each.
pub(crate) fn ca_bundle() -> String {
    let mut pem = String::new();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(root.as_ref());
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(WIDTH));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_root_comes_back_from_its_pem() {
        let pem = ca_bundle();
        let blocks: Vec<Vec<u8>> = pem
            .split("-----BEGIN CERTIFICATE-----\n")
            .skip(1)
            .map(|block| {
                let (body, end) = block.split_once("-----END").expect("an end line");
                assert_eq!(end, " CERTIFICATE-----\n");
                assert!(body.lines().all(|line| line.len() <= WIDTH));
                STANDARD.decode(body.replace('\n', "")).expect("base64")
            })
            .collect();
        let roots: Vec<Vec<u8>> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(|root| root.to_vec())
            .collect();
        assert!(roots.len() > 100, "{}", roots.len());
        assert_eq!(blocks, roots);
    }
}
