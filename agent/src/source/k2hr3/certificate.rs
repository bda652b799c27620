//! Words for certificates of K2HR3 that curl takes and this agent does not: OpenSSL believes whatever certificate stands in
//! its CA file, the verifier here asks of a server's certificate what RFC 5280 asks. rustls has no switch for that, and a
//! verifier of our own would have no other maintainer.

/// Command for a certificate that both take, where K2HR3 signs its own.
const MAKE: &str = "openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -extensions usr_cert -subj /CN=HOST -addext \
                    subjectAltName=DNS:HOST -keyout k2hr3.key -out k2hr3.crt";

/// Explains the fault of a certificate in an error, with its remedy; "" where the error is about something else, or
/// clear.
pub(super) fn remedy(error: &str) -> String {
    let wrong = if error.contains("UnsupportedCertVersion") {
        "its certificate is X.509 version 1, which has no place for the host's name"
    } else if error.contains("CaUsedAsEndEntity") {
        "its certificate is that of an authority (CA:TRUE, as 'openssl req -x509' makes it), which is none for a server"
    } else if error.contains("is not valid for any names") {
        "its certificate has no subjectAltName, and the name in its subject does not count"
    } else if error.contains("UnknownIssuer") {
        return " (k2hr3.ca-file must have the certificate that signed K2HR3's)".to_owned();
    } else {
        return String::new();
    };
    format!(
        " ({wrong}; make a new one for K2HR3, and take it as k2hr3.ca-file, too: {MAKE} (IP:ADDRESS where api-uri has an \
         address))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_verifier_says_in_one_word_is_told_with_its_remedy() {
        for (error, word) in [
            ("invalid peer certificate: Other(OtherError(UnsupportedCertVersion))", "X.509 version 1"),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                "that of an authority (CA:TRUE",
            ),
            (
                "certificate not valid for name \"a\"; certificate is not valid for any names",
                "no subjectAltName",
            ),
        ] {
            let told = remedy(error);
            assert!(told.contains(word) && told.contains(MAKE), "{told}");
        }
        assert!(remedy("invalid peer certificate: UnknownIssuer").contains("that signed K2HR3's"));
        assert_eq!(remedy("Connection refused (os error 111)"), "");
    }
}
