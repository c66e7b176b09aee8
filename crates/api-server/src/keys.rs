//! The operators' keys: whose they are and what they may do. Keys themselves are not kept, only their
//! digests.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use kernel::Randomness;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// The name of the key that `API_KEY` gives.
const DEFAULT_NAME: &str = "default";
/// Keys of one file.
const KEYS_MAX: usize = 100;
/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest file, in bytes: a hundred keys take at most 16 KiB, the rest is for comments.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What a made-up key begins with: it is found where it should not be, and cannot be taken for a
/// digest.
const KEY_PREFIX: &str = "opk_";

/// What a key may do. Each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Scope {
    /// See what is not public.
    Read,
    /// Give money back.
    Refund,
    /// Whatever operators do.
    Admin,
}

impl Scope {
    /// The scope as the file and the OpenAPI document write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Refund => "refund",
            Self::Admin => "admin",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut scopes = Self::value_variants().iter().copied();
        scopes.find(|scope| scope.as_str() == text)
    }
}

/// Who showed a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The key's name.
    pub name: Arc<str>,
    /// What the key may do.
    pub scope: Scope,
}

struct Key {
    holder: Holder,
    digest: [u8; 32],
}

/// Every key that this server knows.
pub struct KeyRing {
    default: Option<Key>,
    listed: RwLock<Vec<Key>>,
}

impl KeyRing {
    /// A ring with this key, which may do everything, or with none.
    pub fn new(default: Option<&SecretString>) -> Self {
        let default = default.map(|key| Key {
            holder: Holder {
                name: DEFAULT_NAME.into(),
                scope: Scope::Admin,
            },
            digest: digest(key.expose_secret()),
        });
        Self {
            default,
            listed: RwLock::default(),
        }
    }

    /// Whose key this is. Digests are compared in constant time and all of them, so neither length
    /// nor prefix of a wrong guess shows in the time it takes.
    pub fn holder(&self, guess: &str) -> Option<Holder> {
        let guess = digest(guess);
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        let mut holder = None;
        for key in self.default.iter().chain(listed.iter()) {
            if bool::from(key.digest.ct_eq(&guess)) && holder.is_none() {
                holder = Some(key.holder.clone());
            }
        }
        holder
    }

    fn list(&self, keys: Vec<Key>) {
        *self.listed.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Why a file of keys is not taken. Nothing of its text is repeated: it may be a key.
#[derive(Debug, thiserror::Error)]
pub enum KeysFileError {
    /// The file is not there, or not to be read.
    #[error("the file cannot be read")]
    Unreadable(#[from] io::Error),
    /// Above the limit.
    #[error("the file has more than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// A line that is no key.
    #[error("line {line}: {fault}")]
    Line {
        /// Which one, from 1.
        line: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Nobody could do anything. A file that is just being written looks like that, too.
    #[error("the file has no key")]
    Empty,
}

/// A file of keys, one a line: `name scopes sha256`, with scopes separated by commas and the SHA-256
/// of the key in hexadecimal; `#` begins a comment.
pub struct KeysFile {
    path: PathBuf,
    ring: Arc<KeyRing>,
    /// The file as it was when it was last read; `None` when it could not be.
    seen: Option<Mark>,
    is_unreadable: bool,
}

/// By what a change of the file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    modified: SystemTime,
    bytes: u64,
}

impl Mark {
    fn of(path: &Path) -> Option<Self> {
        let data = fs::metadata(path).ok()?;
        let modified = data.modified().ok()?;
        let bytes = data.len();
        Some(Self { modified, bytes })
    }
}

/// What a look at the file showed.
#[derive(Debug)]
enum Look {
    /// What is known already.
    Same,
    /// Other keys than before, so many.
    Renewed(usize),
    /// What must not be taken: the keys stay as they are.
    Broken(KeysFileError),
}

impl KeysFile {
    /// Puts the file's keys on the ring, where `watch` keeps them up to date.
    ///
    /// # Errors
    /// When the file cannot be read or is not as it must be.
    pub fn open(path: PathBuf, ring: Arc<KeyRing>) -> Result<Self, KeysFileError> {
        let mut file = Self {
            path,
            ring,
            seen: None,
            is_unreadable: false,
        };
        match file.look() {
            Look::Broken(error) => Err(error),
            Look::Same | Look::Renewed(_) => Ok(file),
        }
    }

    /// Reads the file again whenever it has changed, until `stop`. A broken one changes nothing and
    /// is told once.
    pub async fn watch(self, stop: CancellationToken) {
        let mut file = self;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            // The file may lie on a slow disk, which the runtime must not wait for.
            let looking = tokio::task::spawn_blocking(move || {
                let look = file.look();
                (file, look)
            });
            let look = match stop.run_until_cancelled(looking).await {
                Some(Ok((returned, look))) => {
                    file = returned;
                    look
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "the operators' keys are not read again any more");
                    return;
                }
                None => return,
            };
            match look {
                Look::Same => {}
                Look::Renewed(keys) => tracing::info!(keys, "the operators' keys were read again"),
                Look::Broken(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::error!(
                        error,
                        "API_KEYS_FILE cannot be used; the keys stay as they are"
                    );
                }
            }
        }
    }

    fn look(&mut self) -> Look {
        // Looked at before it is read: what is written meanwhile shows at the next look.
        let mark = Mark::of(&self.path);
        if mark.is_some() && mark == self.seen {
            return Look::Same;
        }
        match read(&self.path).and_then(|text| parse(&text)) {
            Ok(keys) => {
                let count = keys.len();
                self.ring.list(keys);
                (self.seen, self.is_unreadable) = (mark, false);
                Look::Renewed(count)
            }
            // Rights are mended without a change that shows: it is tried again, and told once.
            Err(KeysFileError::Unreadable(error)) => {
                self.seen = None;
                if std::mem::replace(&mut self.is_unreadable, true) {
                    Look::Same
                } else {
                    Look::Broken(error.into())
                }
            }
            Err(error) => {
                (self.seen, self.is_unreadable) = (mark, false);
                Look::Broken(error)
            }
        }
    }
}

fn read(path: &Path) -> Result<String, KeysFileError> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(KeysFileError::TooLarge);
    }
    // Whatever is not text is no key either, and its line is told.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(text: &str) -> Result<Vec<Key>, KeysFileError> {
    let mut keys: Vec<Key> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default();
        let words: Vec<_> = text.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let fault = |fault| KeysFileError::Line { line, fault };
        let key = key(&words).map_err(fault)?;
        if keys
            .iter()
            .any(|known| known.holder.name == key.holder.name)
        {
            return Err(fault("the name is that of an earlier line"));
        }
        if keys.iter().any(|known| known.digest == key.digest) {
            return Err(fault("the key is that of an earlier line"));
        }
        if keys.len() == KEYS_MAX {
            return Err(fault("there are more than 100 keys"));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(KeysFileError::Empty);
    }
    Ok(keys)
}

fn key(words: &[&str]) -> Result<Key, &'static str> {
    let [name, scopes, sha256] = words else {
        return Err("it must be a name, scopes and the key's SHA-256");
    };
    let name = parse_name(name)?.into();
    let scopes = scopes.split(',').map(Scope::parse);
    let scopes: Option<Vec<_>> = scopes.collect();
    let scope = scopes.and_then(|scopes| scopes.into_iter().max());
    let scope = scope.ok_or("scopes are read, refund and admin, separated by commas")?;
    let mut digest = [0_u8; 32];
    hex::decode_to_slice(sha256, &mut digest)
        .map_err(|_| "the key's SHA-256 must be 64 hexadecimal digits")?;
    Ok(Key {
        holder: Holder { name, scope },
        digest,
    })
}

/// Checks a key's name: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, and not `API_KEY`'s.
///
/// # Errors
/// What is wrong with it.
pub fn parse_name(name: &str) -> Result<String, &'static str> {
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(is_harmless) {
        return Err("a name has 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'");
    }
    if name == DEFAULT_NAME {
        return Err("the name default is that of API_KEY");
    }
    Ok(name.to_owned())
}

/// A key that was made up, and its line in the file.
pub struct NewKey {
    /// The key, of 256 random bits.
    pub key: SecretString,
    /// The line, without its end.
    pub line: String,
}

impl NewKey {
    /// Makes up a key of this name, which [`parse_name`] has checked, with at least one scope.
    pub fn make(name: &str, scopes: &[Scope], randomness: &dyn Randomness) -> Self {
        let random: Vec<u8> = (0..4)
            .flat_map(|_| randomness.next_u64().to_be_bytes())
            .collect();
        let key = format!("{KEY_PREFIX}{}", hex::encode(random));
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        let scopes: Vec<_> = scopes.into_iter().map(Scope::as_str).collect();
        let line = format!("{name} {} {}", scopes.join(","), hex::encode(digest(&key)));
        Self {
            key: key.into(),
            line,
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::SystemRandomness;

    use super::*;

    fn new_key(name: &str, scopes: &[Scope]) -> NewKey {
        NewKey::make(name, scopes, &SystemRandomness)
    }

    fn who(ring: &KeyRing, key: &NewKey) -> Option<(String, Scope)> {
        let holder = ring.holder(key.key.expose_secret())?;
        Some((holder.name.to_string(), holder.scope))
    }

    #[test]
    fn a_made_up_key_opens_what_its_line_says() {
        let reader = new_key("reader", &[Scope::Read]);
        let clerk = new_key("clerk.1", &[Scope::Refund, Scope::Read, Scope::Refund]);
        assert!(clerk.line.starts_with("clerk.1 read,refund "));
        let text = format!(
            "# people\n\n  {}  # until May\r\n{}\n",
            reader.line, clerk.line
        );
        let ring = KeyRing::new(Some(&"all".to_owned().into()));
        ring.list(parse(&text).unwrap());
        assert_eq!(who(&ring, &reader), Some(("reader".into(), Scope::Read)));
        assert_eq!(who(&ring, &clerk), Some(("clerk.1".into(), Scope::Refund)));
        let default = ring.holder("all").unwrap();
        assert_eq!((&*default.name, default.scope), ("default", Scope::Admin));
        assert_eq!(who(&ring, &new_key("reader", &[Scope::Read])), None);
        for wrong in ["", "al", "alll", &reader.line] {
            assert_eq!(ring.holder(wrong), None, "{wrong}");
        }
        // 256 bits in hexadecimal, and never the same.
        let key = reader.key.expose_secret();
        assert_eq!(key.len(), KEY_PREFIX.len() + 64);
        assert_ne!(key, clerk.key.expose_secret());
    }

    #[test]
    fn the_wrong_line_is_named_and_its_digest_is_not_shown() {
        let sha256 = "ab".repeat(32);
        let other = "cd".repeat(32);
        let long = "n".repeat(65);
        for (text, line, part) in [
            ("a read".to_owned(), 1, "name, scopes and"),
            (format!("a read {sha256} more"), 1, "name, scopes and"),
            (format!("# a\n\nä read {sha256}"), 3, "a name has"),
            (format!("{long} read {sha256}"), 1, "a name has"),
            (format!("default read {sha256}"), 1, "API_KEY"),
            (format!("a write {sha256}"), 1, "scopes are"),
            (format!("a read,,admin {sha256}"), 1, "scopes are"),
            (format!("a READ {sha256}"), 1, "scopes are"),
            (format!("a read {sha256}0"), 1, "64 hexadecimal"),
            (format!("a read opk_{sha256}"), 1, "64 hexadecimal"),
            (format!("a read x{}", &sha256[1..]), 1, "64 hexadecimal"),
            (format!("a read {sha256}\na read {other}"), 2, "the name is"),
            (
                format!("a read {sha256}\nb read {}", sha256.to_uppercase()),
                2,
                "the key is",
            ),
        ] {
            let error = parse(&text).map(|keys| keys.len()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("abab"), "{error}");
        }
    }

    #[test]
    fn a_file_has_one_to_a_hundred_keys_and_64_kib() {
        let lines = |count: usize| {
            let line = |number| format!("k{number} read {number:064x}\n");
            (0..count).map(line).collect::<String>()
        };
        assert_eq!(parse(&lines(100)).unwrap().len(), 100);
        let error = parse(&lines(101)).map(|keys| keys.len()).unwrap_err();
        assert!(error.to_string().starts_with("line 101: "), "{error}");
        for empty in ["", "\n# nobody\n"] {
            assert!(matches!(parse(empty), Err(KeysFileError::Empty)));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let comment = "#".repeat(64 * 1024 - lines(1).len());
        fs::write(&path, format!("{}{comment}", lines(1))).unwrap();
        assert_eq!(parse(&read(&path).unwrap()).unwrap().len(), 1);
        fs::write(&path, format!("{}{comment}#", lines(1))).unwrap();
        assert!(matches!(read(&path), Err(KeysFileError::TooLarge)));
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_keeps_the_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let write = |text: &str, minute: u64| {
            fs::write(&path, text).unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(at)
                .unwrap();
        };
        let [first, second, third] = [1, 2, 3].map(|_| new_key("ci", &[Scope::Read]));
        let ring = Arc::new(KeyRing::new(None));
        write(&first.line, 1);
        let mut file = KeysFile::open(path.clone(), Arc::clone(&ring)).unwrap();
        assert!(matches!(file.look(), Look::Same));

        // The same length at another time.
        write(&second.line, 2);
        assert!(who(&ring, &first).is_some());
        assert!(matches!(file.look(), Look::Renewed(1)));
        assert!(who(&ring, &first).is_none() && who(&ring, &second).is_some());

        // Broken, missing and whole again: told once each, and nobody loses a key.
        write("ci read", 3);
        assert!(matches!(file.look(), Look::Broken(_)));
        assert!(matches!(file.look(), Look::Same));
        write("ci write", 3);
        assert!(matches!(file.look(), Look::Broken(_)), "another length");
        fs::remove_file(&path).unwrap();
        assert!(matches!(file.look(), Look::Broken(_)));
        assert!(matches!(file.look(), Look::Same));
        assert!(who(&ring, &second).is_some());
        write(&third.line, 3);
        assert!(matches!(file.look(), Look::Renewed(1)));
        assert!(who(&ring, &second).is_none() && who(&ring, &third).is_some());
    }

    #[test]
    fn a_broken_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let open = || KeysFile::open(path.clone(), Arc::new(KeyRing::new(None))).map(|_| ());
        assert!(matches!(open(), Err(KeysFileError::Unreadable(_))));
        fs::write(&path, "ci read\n").unwrap();
        assert!(matches!(open(), Err(KeysFileError::Line { line: 1, .. })));
    }
}
