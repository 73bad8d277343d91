//! Where pictures lie: under the name of their SHA-256, behind a trait.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use uuid::Uuid;

/// A store of pictures. What it has under a name never changes.
#[async_trait]
pub trait Pictures: Send + Sync + fmt::Debug {
    /// Stores `bytes` under their digest; again does no harm.
    async fn put(&self, digest: &[u8], bytes: Bytes) -> io::Result<()>;
    /// What is stored there, if anything.
    async fn get(&self, digest: &[u8]) -> io::Result<Option<Bytes>>;
    /// Removes it; nothing there is no error.
    async fn remove(&self, digest: &[u8]) -> io::Result<()>;
}

/// Files in a folder, in subfolders by the first two digits. Several nodes need a folder that all
/// of them see.
#[derive(Clone, Debug)]
pub struct DiskPictures(PathBuf);

impl DiskPictures {
    /// In `folder`, which is made when it is needed.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self(folder.as_ref().to_owned())
    }

    fn path_of(&self, digest: &[u8]) -> PathBuf {
        let name = HEXLOWER.encode(digest);
        self.0.join(name.get(..2).unwrap_or("__")).join(&name)
    }
}

#[async_trait]
impl Pictures for DiskPictures {
    async fn put(&self, digest: &[u8], bytes: Bytes) -> io::Result<()> {
        let path = self.path_of(digest);
        let folder = path.parent().unwrap_or(&self.0).to_owned();
        tokio::fs::create_dir_all(&folder).await?;
        // Nobody may see half of a picture: written aside, then renamed.
        let aside = folder.join(format!(".{}", Uuid::now_v7().simple()));
        let written = match tokio::fs::write(&aside, &bytes).await {
            Ok(()) => tokio::fs::rename(&aside, &path).await,
            Err(error) => Err(error),
        };
        if written.is_err() {
            drop(tokio::fs::remove_file(&aside).await);
        }
        written
    }

    async fn get(&self, digest: &[u8]) -> io::Result<Option<Bytes>> {
        match tokio::fs::read(self.path_of(digest)).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn remove(&self, digest: &[u8]) -> io::Result<()> {
        match tokio::fs::remove_file(self.path_of(digest)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_put_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = DiskPictures::new(folder.path().join("not yet there"));
        let digest = [0xAB; 32];
        assert_eq!(pictures.get(&digest).await.unwrap(), None);
        for _ in 0..2 {
            pictures.put(&digest, Bytes::from_static(b"a picture")).await.unwrap();
        }
        assert_eq!(pictures.get(&digest).await.unwrap().unwrap(), "a picture");
        let folder = pictures.path_of(&digest).parent().unwrap().to_owned();
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "nothing is left aside");
        pictures.remove(&digest).await.unwrap();
        pictures.remove(&digest).await.unwrap();
        assert_eq!(pictures.get(&digest).await.unwrap(), None);
    }
}
