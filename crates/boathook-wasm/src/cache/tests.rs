//! What is used from the cache, and above all what is not.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;

struct Fixture {
    _outer: tempfile::TempDir,
    folder: PathBuf,
    engine: Engine,
    key: Key,
    cache: Cache,
}

/// A cache that holds one module.
fn fixture() -> Fixture {
    fixture_with(MAPPED)
}

/// The same with a module that is mapped from this size on.
fn fixture_with(mapped_from: usize) -> Fixture {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("boathook/compiled");
    let engine = Engine::default();
    let wasm = wat::parse_str("(module (func (export \"_start\")))").unwrap();
    let key = Key::new(&engine, "sha256:00", PluginForm::Command);
    let cache = Cache { mapped_from, ..Cache::new(folder.clone()) };
    cache.store(&key, &Code::Command(Module::new(&engine, wasm).unwrap()));
    let fixture = Fixture { _outer: outer, folder, engine, key, cache };
    assert!(fixture.loads(), "the fixture itself is fine");
    fixture
}

impl Fixture {
    fn loads(&self) -> bool {
        self.cache.load(&self.engine, &self.key, PluginForm::Command).is_some()
    }

    fn file(&self) -> PathBuf {
        self.cache.path(&self.key)
    }

    fn image(&self) -> PathBuf {
        self.file().with_extension("image")
    }

    fn seal(&self) -> PathBuf {
        self.file().with_extension("seal")
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn folder_and_files_are_ours_alone() {
    let fixture = fixture();
    assert_eq!((mode(&fixture.folder), mode(&fixture.file())), (0o700, 0o600));
    let names: Vec<_> = std::fs::read_dir(&fixture.folder).unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file is left");
}

#[test]
fn any_changed_byte_makes_a_file_useless() {
    let fixture = fixture();
    let good = std::fs::read(fixture.file()).unwrap();
    for at in [0, 20, 60, HEADER, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        std::fs::write(fixture.file(), bad).unwrap();
        assert!(!fixture.loads(), "changed at {at}");
    }
    for size in [0, 10, HEADER, good.len() - 1] {
        std::fs::write(fixture.file(), &good[..size]).unwrap();
        assert!(!fixture.loads(), "cut to {size}");
    }
    std::fs::write(fixture.file(), good).unwrap();
    assert!(fixture.loads());
}

#[test]
fn a_file_under_another_key_is_not_used() {
    let fixture = fixture();
    let other = Key::new(&fixture.engine, "sha256:01", PluginForm::Command);
    std::fs::copy(fixture.file(), fixture.cache.path(&other)).unwrap();
    assert!(fixture.cache.load(&fixture.engine, &other, PluginForm::Command).is_none());
}

#[test]
fn keys_differ_by_content_form_and_settings() {
    let engine = Engine::default();
    let key = Key::new(&engine, "sha256:00", PluginForm::Command);
    assert_eq!(key, Key::new(&engine, "sha256:00", PluginForm::Command));
    assert_ne!(key, Key::new(&engine, "sha256:01", PluginForm::Command));
    assert_ne!(key, Key::new(&engine, "sha256:00", PluginForm::Component));
    let mut other = wasmtime::Config::new();
    other.epoch_interruption(true);
    assert_ne!(key, Key::new(&Engine::new(&other).unwrap(), "sha256:00", PluginForm::Command));
}

#[test]
fn what_others_could_have_written_is_not_used() {
    let fixture = fixture();
    for bad in [0o620, 0o602, 0o640, 0o604] {
        set_mode(&fixture.file(), bad);
        assert!(!fixture.loads(), "file mode {bad:o}");
    }
    set_mode(&fixture.file(), 0o600);
    for bad in [0o720, 0o702, 0o750, 0o777] {
        set_mode(&fixture.folder, bad);
        assert!(!fixture.loads(), "folder mode {bad:o}");
        fixture
            .cache
            .store(&fixture.key, &Code::Command(Module::new(&fixture.engine, "\0asm\x01\0\0\0").unwrap()));
        assert!(!fixture.loads(), "nothing is written to it either");
    }
    set_mode(&fixture.folder, 0o700);
    assert!(fixture.loads());
}

#[test]
fn links_are_not_followed() {
    let fixture = fixture();
    let elsewhere = fixture.folder.parent().unwrap().join("elsewhere");
    std::fs::rename(fixture.file(), &elsewhere).unwrap();
    symlink(&elsewhere, fixture.file()).unwrap();
    assert!(!fixture.loads(), "a linked file");
    std::fs::remove_file(fixture.file()).unwrap();
    std::fs::rename(&elsewhere, fixture.file()).unwrap();
    let moved = fixture.folder.parent().unwrap().join("moved");
    std::fs::rename(&fixture.folder, &moved).unwrap();
    symlink(&moved, &fixture.folder).unwrap();
    assert!(!fixture.loads(), "a linked folder");
}

#[test]
fn a_cache_that_cannot_be_written_is_only_slow() {
    let outer = tempfile::tempdir().unwrap();
    let blocked = outer.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let cache = Cache::new(blocked.join("compiled"));
    let engine = Engine::default();
    let key = Key::new(&engine, "sha256:00", PluginForm::Command);
    cache.store(&key, &Code::Command(Module::new(&engine, "\0asm\x01\0\0\0").unwrap()));
    assert!(cache.load(&engine, &key, PluginForm::Command).is_none());
}

#[test]
fn large_code_is_mapped_from_a_file_of_its_own_with_a_seal_beside_it() {
    let fixture = fixture_with(0);
    assert!(!fixture.file().exists());
    assert_eq!((mode(&fixture.image()), mode(&fixture.seal())), (0o600, 0o600));
    let names: Vec<_> = std::fs::read_dir(&fixture.folder).unwrap().collect();
    assert_eq!(names.len(), 2, "no temporary file is left");
}

#[test]
fn a_changed_image_is_useless_and_a_copied_one_is_sealed_again() {
    let fixture = fixture_with(0);
    let (good, seal) = (std::fs::read(fixture.image()).unwrap(), std::fs::read(fixture.seal()).unwrap());
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 0x40;
    std::fs::write(fixture.image(), bad).unwrap();
    assert!(!fixture.loads(), "another content");
    std::fs::write(fixture.image(), &good[..good.len() - 1]).unwrap();
    assert!(!fixture.loads(), "cut");
    std::fs::write(fixture.image(), &good).unwrap();
    assert!(fixture.loads(), "the same content, written again");
    let sealed = std::fs::read(fixture.seal()).unwrap();
    assert_ne!(sealed, seal, "the seal names the file as it is now");
    assert!(fixture.loads());
    assert_eq!(std::fs::read(fixture.seal()).unwrap(), sealed, "it is not hashed again");
}

#[test]
fn a_seal_that_is_not_whole_or_of_another_key_is_none() {
    let fixture = fixture_with(0);
    let good = std::fs::read(fixture.seal()).unwrap();
    for at in [0, 20, 60] {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        std::fs::write(fixture.seal(), bad).unwrap();
        // A changed hash is believed while the file is the one that was sealed: whoever can write it can write both.
        assert_eq!(fixture.loads(), at == 60, "changed at {at}");
    }
    for size in [0, 10, good.len() - 60] {
        std::fs::write(fixture.seal(), &good[..size]).unwrap();
        assert!(!fixture.loads(), "cut to {size}");
    }
    std::fs::write(fixture.seal(), &good).unwrap();
    set_mode(&fixture.seal(), 0o620);
    assert!(!fixture.loads(), "a seal that others can write");
    set_mode(&fixture.seal(), 0o600);
    set_mode(&fixture.image(), 0o602);
    assert!(!fixture.loads(), "an image that others can write");
    set_mode(&fixture.image(), 0o600);
    assert!(fixture.loads());
}
