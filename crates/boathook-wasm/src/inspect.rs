//! Looks into a plugin's bytes without compiling them: which form it has, what it imports and exports, what it says
//! of itself; refuses what could not run. It reads no files and decides no grants.

use std::collections::BTreeSet;

use boathook_core::plugin::{
    Capability, Declaration, DeclaredCapability, PluginForm, PluginInfo, PluginOrigin,
};
use boathook_engine::plugin_host::PluginError;
use sha2::{Digest as _, Sha256};
use wasmparser::{ComponentExternalKind, ExternalKind, Parser, Payload, Validator, WasmFeatures};

/// The package of our world.
const PACKAGE: &str = "boathook:hook/";
/// The version of [`PACKAGE`] that this host speaks.
pub(crate) const WORLD_VERSION: &str = "0.1.0";
/// The custom section of a [`Declaration`].
const DECLARATION_SECTION: &str = "boathook:plugin";
/// Characters of a plugin's name.
const MAX_NAME: usize = 63;
/// Components within components.
const MAX_NESTING: usize = 8;
/// The WASI packages that are linked, with nothing behind them.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// The module of preview 1's functions.
const PREVIEW1: &str = "wasi_snapshot_preview1";

/// `sha256:` and the hexadecimal digest.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands at the top level of a module or component.
#[derive(Default)]
struct Surface {
    imports: Vec<String>,
    exports: Vec<(String, bool)>,
    declaration: Option<Vec<u8>>,
}

/// Inspects a plugin. `place` names it in errors, `fallback_name` is its name if it has no declaration.
///
/// # Errors
/// [`PluginError::Invalid`], with the reason.
pub(crate) fn inspect(
    bytes: &[u8],
    origin: PluginOrigin,
    place: &str,
    fallback_name: &str,
) -> Result<PluginInfo, PluginError> {
    let refuse = |message: String, help: Option<&str>| PluginError::Invalid {
        message: format!("{place}: {message}"),
        help: help.map(str::to_owned),
    };
    let form = form(bytes).map_err(|message| refuse(message, None))?;
    // What is in the program is our own build's, and is validated when it is compiled: doing it here would take a good part
    // of a short hook's time.
    if origin != PluginOrigin::BuiltIn {
        Validator::new_with_features(features())
            .validate_all(bytes)
            .map_err(|error| refuse(broken(bytes, &error), Some("build it again, or copy it again")))?;
    }
    let surface = surface(bytes).map_err(|message| refuse(message, None))?;
    let imports = match form {
        PluginForm::Component => component_imports(&surface),
        PluginForm::Command => command_imports(&surface),
    }
    .map_err(|(message, help)| refuse(message, Some(&help)))?;
    let declaration = match &surface.declaration {
        Some(json) => declared(json, &imports, form).map_err(|message| refuse(message, None))?,
        None => undeclared(fallback_name, &imports, form),
    };
    let imports = match (form, &surface.declaration) {
        // A command imports nothing of ours: what it may call is what it declares.
        (PluginForm::Command, Some(_)) => {
            let declared = declaration.capabilities.iter().map(|declared| declared.capability);
            declared.chain([Capability::Context, Capability::Log]).collect()
        }
        _ => imports,
    };
    Ok(PluginInfo {
        name: declaration.name.clone(),
        origin,
        digest: digest(bytes),
        size: bytes.len() as u64,
        form,
        declaration,
        imports,
    })
}

/// The proposals that the engine compiles.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2 | WasmFeatures::EXTENDED_CONST | WasmFeatures::COMPONENT_MODEL
}

/// Module or component, from the eight bytes at the start.
fn form(bytes: &[u8]) -> Result<PluginForm, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if !bytes.starts_with(b"\0asm") {
        let what = if b"\0asm".starts_with(bytes) {
            "the file is truncated"
        } else if bytes.starts_with(b"(module") || bytes.starts_with(b"(component") {
            "this is WebAssembly text; translate it to a .wasm file first"
        } else {
            "not WebAssembly (the file does not start with \\0asm)"
        };
        return Err(what.to_owned());
    }
    match bytes.get(4..8) {
        Some([1, 0, 0, 0]) => Ok(PluginForm::Command),
        Some([0x0d, 0, 1, 0]) => Ok(PluginForm::Component),
        Some(version) => Err(format!("unknown WebAssembly version {version:02x?}")),
        None => Err("the file is truncated".to_owned()),
    }
}

fn broken(bytes: &[u8], error: &wasmparser::BinaryReaderError) -> String {
    if error.message().contains("unexpected end") || error.offset() >= bytes.len() {
        format!("the file is truncated (it ends within a section, at {} bytes)", bytes.len())
    } else {
        format!("not valid WebAssembly: {} at offset {:#x}", error.message(), error.offset())
    }
}

fn surface(bytes: &[u8]) -> Result<Surface, String> {
    let mut surface = Surface::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| error.to_string())?;
        match payload {
            Payload::Version { .. } => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Err(format!("components are nested more than {MAX_NESTING} deep"));
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 1 && section.name() == DECLARATION_SECTION => {
                surface.declaration = Some(section.data().to_vec());
            }
            Payload::ImportSection(section) if depth == 1 => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| error.to_string())?;
                    surface.imports.push(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::ExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(|error| error.to_string())?;
                    surface.exports.push((export.name.to_owned(), export.kind == ExternalKind::Func));
                }
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    surface.imports.push(import.map_err(|error| error.to_string())?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(|error| error.to_string())?;
                    let instance = export.kind == ComponentExternalKind::Instance;
                    surface.exports.push((export.name.name.to_owned(), instance));
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

/// Message and way out.
type Refusal = (String, String);

fn component_imports(surface: &Surface) -> Result<BTreeSet<Capability>, Refusal> {
    let mut imports = BTreeSet::new();
    let mut unknown = Vec::new();
    for import in &surface.imports {
        match classify(import) {
            Import::Ours(Some(capability)) => drop(imports.insert(capability)),
            Import::Ours(None) | Import::Wasi => {}
            Import::Unknown => unknown.push(import.as_str()),
        }
    }
    let run = surface.exports.iter().any(|(name, instance)| *instance && is_ours(name, "run"));
    if !run {
        let found: Vec<&str> = surface.exports.iter().map(|(name, _)| name.as_str()).collect();
        let found = if found.is_empty() {
            "it exports nothing".to_owned()
        } else {
            format!("it exports {}", found.join(", "))
        };
        return Err((
            format!(
                "a component of another world: it does not export {PACKAGE}run@{WORLD_VERSION} ({found})"
            ),
            "build it for the world `hook` of package boathook:hook (see wit/README.md)".to_owned(),
        ));
    }
    if !unknown.is_empty() {
        let help = if unknown.iter().any(|name| name.starts_with("wasi:http/")) {
            "wasi:http is not linked: use boathook:hook/http (with componentize-js, build with `-d http fetch-event`)"
        } else {
            "a plugin may import boathook:hook/{context,kubernetes,http,log,outputs} and WASI 0.2 (cli, clocks, \
             filesystem, io, random, sockets)"
        };
        return Err((
            format!(
                "a component of another world: this host (boathook:hook@{WORLD_VERSION}) has no {}",
                unknown.join(", ")
            ),
            help.to_owned(),
        ));
    }
    Ok(imports)
}

fn command_imports(surface: &Surface) -> Result<BTreeSet<Capability>, Refusal> {
    if !surface.exports.iter().any(|(name, function)| *function && name == "_start") {
        let help = if surface.exports.iter().any(|(name, _)| name.starts_with(PACKAGE)) {
            "this looks like the core module of a plugin: make it a component first"
        } else {
            "a plugin is a component of the world boathook:hook, or a WASI command (a core module that exports `_start`)"
        };
        return Err(("a core module without `_start`".to_owned(), help.to_owned()));
    }
    let unknown: Vec<&str> = surface
        .imports
        .iter()
        .filter(|import| import.split_once('.').is_none_or(|(module, _)| module != PREVIEW1))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err((
            format!("the command imports what is not WASI preview 1: {}", unknown.join(", ")),
            format!("a command may import the functions of {PREVIEW1} only"),
        ));
    }
    Ok(Capability::ALL.into_iter().collect())
}

enum Import {
    Ours(Option<Capability>),
    Wasi,
    Unknown,
}

fn classify(import: &str) -> Import {
    if let Some(capability) =
        Capability::ALL.into_iter().find(|capability| is_ours(import, capability.as_str()))
    {
        return Import::Ours(Some(capability));
    }
    if is_ours(import, "types") {
        return Import::Ours(None);
    }
    let wasi = WASI_PACKAGES.iter().any(|package| import.starts_with(package));
    let version = import.rsplit_once('@').map(|(_, version)| version);
    if wasi && version.is_some_and(|version| version.starts_with("0.2.")) {
        Import::Wasi
    } else {
        Import::Unknown
    }
}

/// Whether a name is an interface of our package in a version that the linker takes for [`WORLD_VERSION`].
fn is_ours(name: &str, interface: &str) -> bool {
    name.strip_prefix(PACKAGE)
        .and_then(|rest| rest.split_once('@'))
        .is_some_and(|(found, version)| found == interface && is_compatible(version))
}

fn is_compatible(version: &str) -> bool {
    version
        .strip_prefix("0.1.")
        .is_some_and(|patch| patch.bytes().all(|byte| byte.is_ascii_digit()) && !patch.is_empty())
}

fn declared(json: &[u8], imports: &BTreeSet<Capability>, form: PluginForm) -> Result<Declaration, String> {
    let declaration: Declaration = serde_json::from_slice(json).map_err(|error| {
        format!("its declaration (custom section {DECLARATION_SECTION}) cannot be read: {error}")
    })?;
    if declaration.name.is_empty() {
        return Err("its declaration has no name".to_owned());
    }
    if !is_plugin_name(&declaration.name) {
        return Err(format!(
            "its declaration has a name that is none (1 to {MAX_NAME} letters, digits, '-', '_' and '.')"
        ));
    }
    if !declaration.world.is_empty() && !is_compatible(&declaration.world) {
        return Err(format!(
            "it was built for boathook:hook@{}, this host speaks {WORLD_VERSION}",
            declaration.world
        ));
    }
    let missing: Vec<&str> = imports
        .iter()
        .filter(|capability| form == PluginForm::Component && !is_harmless(**capability))
        .filter(|capability| {
            !declaration.capabilities.iter().any(|declared| declared.capability == **capability)
        })
        .map(|capability| capability.as_str())
        .collect();
    if missing.is_empty() {
        Ok(declaration)
    } else {
        Err(format!("it imports {} but does not declare it", missing.join(", ")))
    }
}

/// The name stands before each of the plugin's log lines: it must not look like anything else.
fn is_plugin_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A component declares what it imports, then; a command imports nothing of ours and declares nothing.
fn undeclared(name: &str, imports: &BTreeSet<Capability>, form: PluginForm) -> Declaration {
    let (world, capabilities) = match form {
        PluginForm::Component => (WORLD_VERSION, imports.iter().copied().collect()),
        PluginForm::Command => ("", Vec::new()),
    };
    let declare = |capability| DeclaredCapability { capability, why: String::new(), uses: Vec::new() };
    Declaration {
        name: name.to_owned(),
        world: world.to_owned(),
        capabilities: capabilities.into_iter().map(declare).collect(),
        ..Declaration::default()
    }
}

/// Capabilities that need neither declaration nor grant.
fn is_harmless(capability: Capability) -> bool {
    matches!(capability, Capability::Context | Capability::Log)
}

#[cfg(test)]
mod tests;
