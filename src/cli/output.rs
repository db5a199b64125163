//! Standard output, and the end of its reader.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use crate::error::Error;

/// Writes a result to standard output.
///
/// # Errors
/// [`Error::ReaderGone`] when nobody reads any more: what writes on and on has to end then.
pub(super) fn print(text: &str) -> Result<(), Error> {
    write(&mut std::io::stdout().lock(), text)
}

fn write(out: &mut impl Write, text: &str) -> Result<(), Error> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Error::ReaderGone),
        other => Ok(other?),
    }
}

/// Returns when nobody reads standard output any more, though nothing is written.
pub(super) async fn reader_gone() -> Error {
    match std::io::stdout().as_fd().try_clone_to_owned() {
        Ok(fd) => gone(fd).await,
        Err(_) => std::future::pending().await,
    }
}

async fn gone(fd: OwnedFd) -> Error {
    // A pipe without a reader has an error condition (poll(2), POLLERR); a file cannot be waited for at all (EPERM).
    // Unchecked, because a check would make standard output non-blocking, and nothing is written here.
    let Ok(fd) = Sender::from_owned_fd_unchecked(fd) else { return std::future::pending().await };
    match fd.ready(Interest::ERROR).await {
        Ok(_) => Error::ReaderGone,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_write_without_a_reader_says_so() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        write(&mut writer, "heard").unwrap();
        drop(reader);
        assert!(matches!(write(&mut writer, "unheard"), Err(Error::ReaderGone)));
    }

    #[tokio::test]
    async fn the_end_of_the_reader_is_seen_without_writing() {
        let (reader, writer) = std::io::pipe().unwrap();
        let gone = gone(writer.into());
        tokio::pin!(gone);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut gone).await.is_err());
        drop(reader);
        assert!(matches!(tokio::time::timeout(Duration::from_secs(5), gone).await, Ok(Error::ReaderGone)));
    }

    #[tokio::test]
    async fn a_file_has_no_reader_that_could_go_away() {
        let file = tempfile::tempfile().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), gone(file.into())).await.is_err());
    }
}
