//! The two images that fleet builds itself. Their text is part of the program, and an image is named after it,
//! so that it is built again only when the text changed.

use std::collections::VecDeque;
use std::time::Duration;

use bollard::query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder};
use bollard::{Docker, body_full};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::archive::{self, File};
use super::engine;
use crate::event::{Event, Events};
use crate::provider::{ProviderError, Result};

/// What both images start from.
const BASE: &str = "debian:bookworm-slim";
const BASE_PULL_DEADLINE: Duration = Duration::from_secs(120);
/// Packages are fetched over the network; two minutes are usual on a slow machine.
const BUILD_DEADLINE: Duration = Duration::from_secs(20 * 60);
/// How much of a failed build's output goes into the error.
const LAST_LINES: usize = 15;

/// The files that an image is built from.
pub(super) struct Context {
    /// The image's name without the tag.
    pub(super) repository: &'static str,
    /// What people call it.
    pub(super) title: &'static str,
    /// Path, permission bits and content.
    pub(super) files: &'static [(&'static str, u32, &'static [u8])],
}

impl Context {
    /// Name and tag. The tag is the start of the SHA-256 of every path, mode and byte of the context.
    pub(super) fn reference(&self) -> String {
        let mut hash = Sha256::new();
        for (path, mode, content) in self.files {
            hash.update(format!("{path}\0{mode:o}\0{}\0", content.len()));
            hash.update(content);
        }
        format!("{}:{}", self.repository, hex(&hash.finalize()[..6]))
    }
}

/// Hexadecimal digits of bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Builds those images that are not there yet, side by side.
pub(super) async fn ensure(docker: &Docker, contexts: &[&Context], events: &dyn Events) -> Result<()> {
    let mut missing = Vec::new();
    for context in contexts {
        if !exists(docker, &context.reference()).await? {
            missing.push(*context);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    ensure_base(docker, events).await?;
    futures_util::future::try_join_all(missing.iter().map(|context| build(docker, context, events))).await?;
    Ok(())
}

async fn exists(docker: &Docker, reference: &str) -> Result<bool> {
    match docker.inspect_image(reference).await {
        Ok(_) => Ok(true),
        Err(error) if engine::not_found(&error) => Ok(false),
        Err(error) => Err(engine::failed(format!("look for the image {reference}"), &error)),
    }
}

async fn ensure_base(docker: &Docker, events: &dyn Events) -> Result<()> {
    if exists(docker, BASE).await? {
        return Ok(());
    }
    events.emit(step(format!("pulling {BASE}")));
    let options = CreateImageOptionsBuilder::default().from_image(BASE).build();
    let pull = docker.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
    let why = match tokio::time::timeout(BASE_PULL_DEADLINE, pull).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => engine::words(&error),
        Err(_) => format!("no answer within {} s", BASE_PULL_DEADLINE.as_secs()),
    };
    Err(ProviderError::Precondition {
        what: format!("the base image {BASE} is missing and the engine could not pull it: {why}"),
        fix: "run scripts/base-image, which makes it from Debian's packages where no registry answers"
            .to_owned(),
    })
}

async fn build(docker: &Docker, context: &Context, events: &dyn Events) -> Result<()> {
    let reference = context.reference();
    events.emit(step(format!("building {} as {reference} (once)", context.title)));
    let files: Vec<_> =
        context.files.iter().map(|&(path, mode, content)| File { path, mode, content }).collect();
    let options = BuildImageOptionsBuilder::default().t(&reference).rm(true).forcerm(true).build();
    let output = docker.build_image(options, None, Some(body_full(archive::pack(&files)?.into())));
    let mut log = BuildLog::default();
    let read = output.map_err(|error| engine::words(&error)).try_for_each(|info| {
        let failure = info.error_detail.and_then(|detail| detail.message);
        for line in log.take(info.stream.as_deref().unwrap_or_default()) {
            events.emit(step(format!("{}: {line}", context.title)));
        }
        async { failure.map_or(Ok(()), Err) }
    });
    let message = match tokio::time::timeout(BUILD_DEADLINE, read).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(message)) => message,
        Err(_) => format!("not done after {} minutes", BUILD_DEADLINE.as_secs() / 60),
    };
    Err(ProviderError::Api {
        action: format!("build {} ({reference})", context.title),
        message: format!("{}\n  the last lines of the build:\n{}", message.trim(), log.last_lines()),
    })
}

fn step(message: String) -> Event {
    Event::Step { step: "prepare", message }
}

/// The output of a build: its steps are shown, and its last lines kept in case it fails.
#[derive(Default)]
struct BuildLog {
    unfinished: String,
    last: VecDeque<String>,
}

impl BuildLog {
    /// Takes output as it comes, which may end in the middle of a line, and returns the titles of steps in it.
    fn take(&mut self, output: &str) -> Vec<String> {
        self.unfinished.push_str(output);
        let mut steps = Vec::new();
        while let Some(end) = self.unfinished.find('\n') {
            let rest = self.unfinished.split_off(end + 1);
            let line = std::mem::replace(&mut self.unfinished, rest);
            let line = line.trim_end();
            if line.starts_with("Step ") {
                steps.push(one_line(line));
            }
            if !line.is_empty() {
                self.last.push_back(line.to_owned());
            }
            if self.last.len() > LAST_LINES {
                self.last.pop_front();
            }
        }
        steps
    }

    fn last_lines(&self) -> String {
        self.last.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// A RUN step repeats the whole command, which may be a screen long.
fn one_line(step: &str) -> String {
    const WIDTH: usize = 72;
    let line = step.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= WIDTH {
        return line;
    }
    format!("{}…", line.chars().take(WIDTH).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Context =
        Context { repository: "test", title: "a test", files: &[("Dockerfile", 0o644, b"FROM scratch\n")] };

    #[test]
    fn the_tag_follows_the_text() {
        let changed = Context { files: &[("Dockerfile", 0o644, b"FROM scratch\n\n")], ..ONE };
        let executable = Context { files: &[("Dockerfile", 0o755, b"FROM scratch\n")], ..ONE };
        assert_eq!(ONE.reference(), "test:8bbb21fad3b6");
        assert_ne!(ONE.reference(), changed.reference());
        assert_ne!(ONE.reference(), executable.reference());
    }

    #[test]
    fn steps_are_found_however_the_output_is_cut() {
        let mut log = BuildLog::default();
        assert!(log.take("Step 1/2 : FROM deb").is_empty());
        assert_eq!(log.take("ian\n ---> 1234\nStep 2"), ["Step 1/2 : FROM debian"]);
        assert_eq!(log.take("/2 : RUN a   b\n"), ["Step 2/2 : RUN a b"]);
        assert_eq!(log.last_lines(), "    Step 1/2 : FROM debian\n     ---> 1234\n    Step 2/2 : RUN a   b");
    }

    #[test]
    fn only_the_last_lines_are_kept_and_long_steps_are_cut() {
        let mut log = BuildLog::default();
        for line in 0..100 {
            log.take(&format!("{line}\n"));
        }
        assert_eq!(log.last.len(), LAST_LINES);
        assert_eq!(log.last.back().unwrap(), "99");
        assert_eq!(one_line(&"x".repeat(100)).chars().count(), 73);
    }
}
