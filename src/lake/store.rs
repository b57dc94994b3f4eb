//! The object store behind the lake: a folder, or a bucket of S3, Azure or Google Cloud by URL.
//!
//! Guarantees that what is written is durable before it counts (a folder is synced to disk) and that the store honours
//! create-if-absent, without which the log would not be safe: `probe` refuses a store that does not.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use url::Url;

use super::{Error, Settings, names};

/// Prefixes of the environment variables that object stores read.
const STORE_VARIABLES: [&str; 3] = ["aws_", "azure_", "google_"];

/// Makes the folder of a local location, if it is not there.
pub(super) fn make(location: &str) -> Result<(), Error> {
    let folder = location.strip_prefix("file://").unwrap_or(location);
    if folder.contains("://") {
        return Ok(());
    }
    let refused = |error| Error::Location { location: location.to_owned(), reason: format!("cannot make the folder: {error}") };
    std::fs::create_dir_all(folder).map_err(refused)
}

/// The store of a location.
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn ObjectStore>, Error> {
    let location = settings.location.as_str();
    let refused = |reason: String| Error::Location { location: location.to_owned(), reason };
    if !location.contains("://") {
        let folder = LocalFileSystem::new_with_prefix(location).map_err(|error| refused(error.to_string()))?;
        return Ok(Arc::new(folder.with_fsync(true)));
    }
    let url = Url::parse(location).map_err(|error| refused(error.to_string()))?;
    if url.scheme() == "file" {
        let folder = url.to_file_path().map_err(|()| refused("no local path".to_owned()))?;
        let location = folder.to_str().ok_or_else(|| refused("not a UTF-8 path".to_owned()))?.to_owned();
        return open(&Settings { location, ..settings.clone() });
    }
    crate::telemetry::install_tls_provider();
    let from_environment = std::env::vars()
        .map(|(key, value)| (key.to_ascii_lowercase(), value))
        .filter(|(key, _)| STORE_VARIABLES.iter().any(|prefix| key.starts_with(prefix)));
    let options = from_environment.chain(settings.options.clone());
    let (store, prefix) = object_store::parse_url_opts(&url, options).map_err(|error| refused(error.to_string()))?;
    if prefix == Path::default() { Ok(Arc::from(store)) } else { Ok(Arc::new(PrefixStore::new(store, prefix))) }
}

/// What writers that died left half written in a folder of a local lake: the files, and the keys they would have become. The
/// store writes to `key#1` and renames, and lists no such names. Buckets keep nothing of a write that did not end.
pub(super) fn half_written(location: &str, folder: &Path) -> Vec<(PathBuf, Path)> {
    let root = location.strip_prefix("file://").unwrap_or(location);
    if root.contains("://") {
        return Vec::new();
    }
    let mut found = Vec::new();
    // A folder that is not there holds nothing; one that cannot be read fails where it is listed.
    for entry in std::fs::read_dir(std::path::Path::new(root).join(folder.as_ref())).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some((key, number)) = name.to_str().and_then(|name| name.rsplit_once('#')) else { continue };
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push((entry.path(), folder.clone().join(key)));
        }
    }
    found
}

/// Creates one key twice: the second time must fail, or two processes could write the same entry.
pub(super) async fn probe(store: &dyn ObjectStore, settings: &Settings) -> Result<(), Error> {
    let key = names::probe(&settings.writer);
    // A key left behind by a process that died here proves the same.
    for _ in 0..2 {
        match store.put_opts(&key, "probe".into(), PutMode::Create.into()).await {
            Ok(_) => {}
            Err(object_store::Error::AlreadyExists { .. }) => {
                return store.delete(&key).await.map_err(Error::store("delete", &key));
            }
            Err(error) => return Err(Error::store("create", &key)(error)),
        }
    }
    store.delete(&key).await.map_err(Error::store("delete", &key))?;
    Err(Error::NoConditionalCreate { location: settings.location.clone() })
}
