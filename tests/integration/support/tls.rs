//! A certificate authority and a server certificate for 127.0.0.1 and localhost, made anew for each server.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A server's identity, and the authority that clients must trust.
pub(crate) struct Identity {
    /// The authority's certificate, PEM.
    pub(crate) authority: String,
    /// The server's certificate, PEM.
    pub(crate) certificate: String,
    /// The server's private key, PKCS #8 PEM.
    pub(crate) key: String,
}

impl Identity {
    /// Makes a new authority and a server certificate signed by it.
    pub(crate) fn new() -> Self {
        let authority_key = KeyPair::generate().expect("keys can be made");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.distinguished_name.push(DnType::CommonName, "Groundwire test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_certificate = authority.self_signed(&authority_key).expect("an authority signs itself");
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate().expect("keys can be made");
        let mut server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("two valid names");
        server.distinguished_name.push(DnType::CommonName, "localhost");
        server.use_authority_key_identifier_extension = true;
        let certificate = server.signed_by(&key, &issuer).expect("the authority signs");
        Self { authority: authority_certificate.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Writes the authority's certificate to `dir/authority.pem`, for a client's configuration.
    pub(crate) fn write_authority(&self, dir: &Path) -> PathBuf {
        let file = dir.join("authority.pem");
        std::fs::write(&file, &self.authority).expect("the folder is ours");
        file
    }
}
