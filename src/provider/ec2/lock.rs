//! `fleet.lock`: the image that hosts start from, chosen once and kept until somebody moves on
//! (docs/decisions/010-fleet-lock.md).

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::provider::{OsImage, ProviderError, Result};

/// The format of the file.
const VERSION: u32 = 1;
const DAY: i64 = 24 * 60 * 60;
/// Flatcar withdraws an image nine months after its release (Flatcar documentation, "Running on AWS EC2").
const WITHDRAWN: i64 = 274 * DAY;
/// Three months before that, there is time to move on.
const WARN: i64 = 183 * DAY;

/// The file of one fleet, and the time by which images are old.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    path: PathBuf,
    now: fn() -> Timestamp,
}

/// What an image is chosen by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Choice {
    pub(super) region: String,
    pub(super) architecture: String,
    pub(super) channel: String,
    /// The version as it was asked for, which may be `current`.
    pub(super) asked: String,
}

/// An image that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Locked {
    #[serde(flatten)]
    pub(super) choice: Choice,
    /// The account that publishes it.
    pub(super) owner: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    /// When it was published, as EC2 says it; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
}

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    version: u32,
    images: Vec<Locked>,
}

impl Locked {
    /// The image, for those who ask what hosts start from.
    pub(super) fn os_image(&self) -> OsImage {
        OsImage { id: self.id.clone(), name: self.name.clone(), version: Some(self.version.clone()) }
    }
}

impl Lock {
    /// The lock in this file, which need not be there.
    pub(super) fn new(path: PathBuf, now: fn() -> Timestamp) -> Self {
        Self { path, now }
    }

    /// The file's name, for messages.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(|| "the lock".into(), |name| name.to_string_lossy().into_owned())
    }

    /// The image that was chosen for the same reasons.
    ///
    /// # Errors
    /// A precondition when the file cannot be read or is of a newer fleet.
    pub(super) fn find(&self, choice: &Choice, owner: &str) -> Result<Option<Locked>> {
        let images = read(&self.path)?.images;
        Ok(images.into_iter().find(|image| image.choice == *choice && image.owner == owner))
    }

    /// Writes an image down in place of the one that was chosen for the same reasons; the others stay.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(super) fn set(&self, image: Locked) -> Result<()> {
        let document = with(read(&self.path)?, image);
        let mut text = serde_json::to_string_pretty(&document).map_err(|error| broken(&self.path, &error))?;
        text.push('\n');
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Whole or not at all; readable like any file that is committed.
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o644))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// What to say of an image that is old.
    pub(super) fn warning(&self, image: &Locked) -> Option<String> {
        let age = age(image.created.as_deref()?, (self.now)())?;
        let way = match image.choice.asked.as_str() {
            "current" => "`fleet roll --os --strategy replace` moves to the newest".to_owned(),
            asked => format!("name a newer `os.version` than {asked}"),
        };
        Some(format!("image {} ({}) is {age}; {way}", image.name, image.id))
    }
}

fn read(path: &Path) -> Result<Document> {
    let text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Document { version: VERSION, images: Vec::new() });
        }
        Err(error) => return Err(broken(path, &error)),
    };
    // Of a newer format nothing but the version is known.
    #[derive(Deserialize)]
    struct Format {
        version: u32,
    }
    let format: Format = serde_json::from_str(&text).map_err(|error| broken(path, &error))?;
    if format.version != VERSION {
        return Err(ProviderError::Precondition {
            what: format!("{} has format {}, this fleet knows {VERSION}", path.display(), format.version),
            fix: "use the version of fleet that wrote it, or a newer one".to_owned(),
        });
    }
    serde_json::from_str(&text).map_err(|error| broken(path, &error))
}

fn with(mut document: Document, image: Locked) -> Document {
    document.images.retain(|other| other.choice != image.choice);
    document.images.push(image);
    document.images.sort_by(|a, b| a.choice.cmp(&b.choice));
    document
}

/// How old an image is, in words, once that matters.
fn age(created: &str, now: Timestamp) -> Option<String> {
    let created: Timestamp = created.parse().ok()?;
    let seconds = now.as_second() - created.as_second();
    // A month of a twelfth of a year.
    let months = seconds * 12 / (365 * DAY);
    match seconds {
        ..WARN => None,
        WARN..WITHDRAWN => {
            Some(format!("{months} months old, and images are withdrawn 9 months after their release"))
        }
        _ => {
            Some(format!("{months} months old: it is due to be withdrawn, and no host can be launched then"))
        }
    }
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> ProviderError {
    ProviderError::Precondition {
        what: format!("{} cannot be read: {error}", path.display()),
        fix: "restore it from version control; without the file, `fleet up` chooses the newest image"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-10-01T00:00:00Z".parse().unwrap()
    }

    fn image(region: &str, asked: &str, id: &str) -> Locked {
        let [region, architecture, channel, asked] = [region, "x86_64", "stable", asked].map(str::to_owned);
        Locked {
            choice: Choice { region, architecture, channel, asked },
            owner: "075585003325".to_owned(),
            id: id.to_owned(),
            name: "Flatcar-stable-4230.2.3-hvm".to_owned(),
            version: "4230.2.3".to_owned(),
            created: Some("2026-02-01T10:00:00.000Z".to_owned()),
        }
    }

    #[test]
    fn a_choice_replaces_its_like_and_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::new(folder.path().join("fleet.lock"), now);
        let first = image("eu-west-1", "current", "ami-1");
        assert_eq!(lock.find(&first.choice, &first.owner).unwrap(), None);
        lock.set(first.clone()).unwrap();
        lock.set(image("eu-central-1", "current", "ami-2")).unwrap();
        lock.set(image("eu-west-1", "4230.2.3", "ami-3")).unwrap();
        lock.set(image("eu-west-1", "current", "ami-4")).unwrap();
        assert_eq!(lock.find(&first.choice, &first.owner).unwrap().unwrap().id, "ami-4");
        assert_eq!(lock.find(&first.choice, "another").unwrap(), None);
        let text = fs_err::read_to_string(folder.path().join("fleet.lock")).unwrap();
        let (first, rest) = text.split_once("    },\n").unwrap();
        insta::assert_snapshot!(first, @r#"
        {
          "version": 1,
          "images": [
            {
              "region": "eu-central-1",
              "architecture": "x86_64",
              "channel": "stable",
              "asked": "current",
              "owner": "075585003325",
              "id": "ami-2",
              "name": "Flatcar-stable-4230.2.3-hvm",
              "version": "4230.2.3",
              "created": "2026-02-01T10:00:00.000Z"
        "#);
        assert!(rest.find("ami-3") < rest.find("ami-4"), "{rest}");
        assert!(text.ends_with("}\n"));
        let mode = fs_err::metadata(folder.path().join("fleet.lock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o400, 0o400);
    }

    #[test]
    fn what_cannot_be_read_is_no_empty_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.lock");
        let lock = Lock::new(path.clone(), now);
        for (text, words) in [
            ("<<<<<<< HEAD", "restore it from version control"),
            (r#"{"version": 2, "pictures": []}"#, "has format 2, this fleet knows 1"),
            (r#"{"version": 1, "images": [{}]}"#, "fleet.lock cannot be read"),
        ] {
            fs_err::write(&path, text).unwrap();
            let image = image("eu-west-1", "current", "ami-1");
            let error = lock.find(&image.choice, &image.owner).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            lock.set(image).unwrap_err();
            assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn age_is_told_from_six_months_on() {
        let at = |created: &str| {
            let image =
                Locked { created: Some(created.to_owned()), ..image("eu-west-1", "current", "ami-1") };
            Lock::new(PathBuf::new(), now).warning(&image)
        };
        assert_eq!(at("2026-04-02T00:00:00.000Z"), None);
        assert_eq!(at("2027-01-01T00:00:00.000Z"), None, "a clock that is wrong");
        assert_eq!(at("yesterday"), None);
        let warning = at("2026-03-01T00:00:00.000Z").unwrap();
        assert!(
            warning.contains("is 7 months old") && warning.contains("`fleet roll --os --strategy replace`"),
            "{warning}"
        );
        assert!(at("2025-11-15T00:00:00Z").unwrap().contains("10 months old: it is due to be withdrawn"));
        let named = Lock::new(PathBuf::new(), now).warning(&image("eu-west-1", "4230.2.3", "ami-1"));
        assert!(named.unwrap().contains("a newer `os.version` than 4230.2.3"));
    }
}
