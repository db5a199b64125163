//! Files into containers, through the engine's archive interface.

use bollard::query_parameters::UploadToContainerOptionsBuilder;
use bollard::{Docker, body_full};

use super::engine;
use crate::provider::Result;

/// A file to be packed.
pub(super) struct File<'a> {
    /// Path below the folder that the archive is unpacked in.
    pub(super) path: &'a str,
    /// Permission bits.
    pub(super) mode: u32,
    /// What it holds.
    pub(super) content: &'a [u8],
}

/// Packs files, owned by root and without times, so that the same files give the same bytes.
pub(super) fn pack(files: &[File<'_>]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_mtime(0);
        archive.append_data(&mut header, file.path, file.content)?;
    }
    Ok(archive.into_inner()?)
}

/// Puts files into a folder of a container, running or not.
pub(super) async fn upload(docker: &Docker, container: &str, folder: &str, files: &[File<'_>]) -> Result<()> {
    let options = UploadToContainerOptionsBuilder::default().path(folder).build();
    let archive = pack(files)?;
    docker
        .upload_to_container(container, Some(options), body_full(archive.into()))
        .await
        .map_err(|error| engine::failed(format!("copy files into {folder} of container {container}"), &error))
}
