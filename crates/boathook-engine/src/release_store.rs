//! Releases where Helm keeps them: Secrets in the release's namespace, reached through the [`Cluster`] port. It reads
//! and writes; what a record says is decided elsewhere. Unlike Helm it never overwrites what it did not read.

use std::collections::BTreeMap;

use boathook_core::names::{Collection, InvalidName, Name, Namespace, Plural, Resource, Target};
use boathook_core::release::codec::{self, DecodeError, Stamp};
use boathook_core::release::companion::{self, CompanionRecord};
use boathook_core::release::{HookEntry, Record, Revision, wasm_hooks};
use boathook_core::{Gvk, Object};
use jiff::Timestamp;

use crate::FIELD_MANAGER;
use crate::cluster::{
    Cluster, ClusterError, ClusterErrorKind, ListOptions, Patch, Preconditions, WriteOptions,
};

/// Secrets of one page: records can be large.
const PAGE: u32 = 50;

/// Release records on one cluster.
#[derive(Clone, Copy)]
pub struct ReleaseStore<'a> {
    cluster: &'a dyn Cluster,
}

/// One revision as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Helm's record.
    pub record: Record,
    /// Ours, if this revision has one.
    pub companion: Option<CompanionRecord>,
    /// Labels of the user on Helm's Secret.
    pub labels: BTreeMap<String, String>,
    uid: String,
    resource_version: Option<String>,
    companion_version: Option<String>,
}

impl Stored {
    /// All hooks in the order in which the release has them, Helm's and those of our own record, as far as this revision alone
    /// tells.
    pub fn hooks(&self) -> Vec<&HookEntry> {
        let revision = self.revision();
        let all = wasm_hooks::all_hooks(&revision, wasm_hooks::carried(&[], &revision));
        all.into_iter().map(|(hook, _)| hook).collect()
    }

    /// Whether our own record is stored.
    pub(crate) fn has_companion(&self) -> bool {
        self.companion_version.is_some()
    }

    /// What the rules over a history look at.
    pub fn revision(&self) -> Revision<'_> {
        Revision { record: &self.record, companion: self.companion.as_ref(), labels: &self.labels }
    }
}

/// What the rules over a history look at, of each revision.
pub fn revisions(history: &[Stored]) -> Vec<Revision<'_>> {
    history.iter().map(Stored::revision).collect()
}

/// What a search found. Secrets that claim to be records and cannot be read are named, where Helm leaves them out
/// without a word.
#[derive(Debug, Default)]
pub struct Listing {
    /// By namespace, name and revision.
    pub releases: Vec<Stored>,
    /// Secrets labelled as Helm's (or as ours) that hold no readable record.
    pub unreadable: Vec<DecodeError>,
}

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The revision exists already: the name is in use, or another operation was faster.
    #[error("release: already exists")]
    AlreadyExists,
    /// There is no such revision.
    #[error("release: not found")]
    NotFound,
    /// Somebody else changed the record since it was read.
    #[error("release {name} revision {revision} was changed by another operation")]
    Conflict {
        /// The release.
        name: String,
        /// The revision.
        revision: u32,
    },
    /// No Secret can have this name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// It is not readable.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The API refused.
    #[error(transparent)]
    Cluster(ClusterError),
}

impl From<ClusterError> for StoreError {
    fn from(error: ClusterError) -> Self {
        if error.is_not_found() { Self::NotFound } else { Self::Cluster(error) }
    }
}

impl<'a> ReleaseStore<'a> {
    /// A view of a cluster's releases.
    pub fn new(cluster: &'a dyn Cluster) -> Self {
        Self { cluster }
    }

    /// Stores a new revision.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if the revision is there; the API's refusals.
    pub async fn create(
        &self,
        record: Record,
        labels: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let secret = codec::encode(&record, &labels, Stamp::Created(now));
        let collection = secrets_of(Some(&record.namespace))?;
        let answer = match self.cluster.create(&collection, &secret, &writing()).await {
            Ok(answer) => answer,
            Err(error) if error.kind == ClusterErrorKind::AlreadyExists => {
                return Err(StoreError::AlreadyExists);
            }
            // A Secret that does not exist is not what a 404 to a creation means: the namespace is not there.
            Err(error) => return Err(StoreError::Cluster(error)),
        };
        Ok(Stored {
            record,
            companion: None,
            labels,
            uid: answer.uid().unwrap_or_default().to_owned(),
            resource_version: answer.resource_version().map(str::to_owned),
            companion_version: None,
        })
    }

    /// Writes a revision's record back, if nobody else did since it was read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody did; the API's refusals.
    pub async fn update(&self, stored: &mut Stored, now: Timestamp) -> Result<(), StoreError> {
        let record = &stored.record;
        let mut secret = codec::encode(record, &stored.labels, Stamp::Modified(now));
        if let Some(version) = &stored.resource_version {
            secret.metadata_mut().insert("resourceVersion".to_owned(), version.clone().into());
        }
        let target = secret_at(&record.namespace, secret.name())?;
        match self.cluster.patch(&target, &Patch::Replace(secret), &writing()).await {
            Ok(answer) => {
                stored.resource_version = answer.resource_version().map(str::to_owned);
                Ok(())
            }
            Err(error) if error.kind == ClusterErrorKind::Conflict => {
                Err(StoreError::Conflict { name: record.name.clone(), revision: record.version })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes our own record beside Helm's, if nobody else did since it was read; one of a release of the same name that is
    /// gone is replaced.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody did; the API's refusals.
    pub async fn write_companion(&self, stored: &mut Stored, now: Timestamp) -> Result<(), StoreError> {
        let Some(record) = &stored.companion else { return Ok(()) };
        let collection = secrets_of(Some(&record.namespace))?;
        let replace = |version: Option<&String>| {
            let mut secret = companion::encode(record, &stored.uid, Stamp::Modified(now));
            if let Some(version) = version {
                secret.metadata_mut().insert("resourceVersion".to_owned(), version.clone().into());
            }
            secret
        };
        let target = secret_at(&record.namespace, &companion::secret_name(&record.name, record.version))?;
        let answer = match &stored.companion_version {
            Some(version) => {
                self.cluster.patch(&target, &Patch::Replace(replace(Some(version))), &writing()).await
            }
            None => {
                let new = companion::encode(record, &stored.uid, Stamp::Created(now));
                match self.cluster.create(&collection, &new, &writing()).await {
                    Err(error) if error.kind == ClusterErrorKind::AlreadyExists => {
                        self.cluster.patch(&target, &Patch::Replace(replace(None)), &writing()).await
                    }
                    answer => answer,
                }
            }
        };
        match answer {
            Ok(answer) => {
                stored.companion_version = answer.resource_version().map(str::to_owned);
                Ok(())
            }
            Err(error) if error.kind == ClusterErrorKind::Conflict => {
                Err(StoreError::Conflict { name: record.name.clone(), revision: record.version })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a revision's record; ours goes with it, because Helm's owns it. One that is gone already is no error.
    ///
    /// # Errors
    /// The API's refusals.
    pub async fn delete(&self, stored: &Stored) -> Result<(), StoreError> {
        let record = &stored.record;
        let target = secret_at(&record.namespace, &codec::secret_name(&record.name, record.version))?;
        let uid = (!stored.uid.is_empty()).then(|| stored.uid.clone());
        let only = Preconditions { uid, resource_version: None };
        match self.cluster.delete(&target, &only, &writing()).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// One revision, with our own record.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Decode`], the API's refusals.
    pub async fn get(&self, namespace: &str, name: &str, revision: u32) -> Result<Stored, StoreError> {
        let secret = self.cluster.get(&secret_at(namespace, &codec::secret_name(name, revision))?).await?;
        let mut stored = read(&secret)?;
        let ours = secret_at(namespace, &companion::secret_name(name, revision))?;
        match self.cluster.get(&ours).await {
            Ok(secret) => {
                stored.companion = companion::decode(&secret, &stored.uid)?;
                stored.companion_version = version_of(&stored, &secret);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(stored)
    }

    /// All revisions of a release, oldest first, with our own records.
    ///
    /// # Errors
    /// The API's refusals. A release that does not exist has an empty history.
    pub async fn history(&self, namespace: &str, name: &str) -> Result<Listing, StoreError> {
        let mut listing =
            self.search(Some(namespace), &format!("owner={},name={name}", codec::OWNER)).await?;
        if listing.releases.is_empty() {
            return Ok(listing);
        }
        let ours = self.secrets(Some(namespace), &format!("owner={},name={name}", companion::OWNER)).await?;
        for secret in ours {
            let of = |stored: &&mut Stored| {
                companion::secret_name(&stored.record.name, stored.record.version) == secret.name()
            };
            let Some(stored) = listing.releases.iter_mut().find(of) else { continue };
            match companion::decode(&secret, &stored.uid) {
                Ok(companion) => {
                    stored.companion = companion;
                    stored.companion_version = version_of(stored, &secret);
                }
                Err(error) => listing.unreadable.push(error),
            }
        }
        Ok(listing)
    }

    /// The newest revision of a release, without our own record.
    ///
    /// # Errors
    /// The API's refusals.
    pub async fn last(&self, namespace: &str, name: &str) -> Result<Option<Stored>, StoreError> {
        let listing = self.search(Some(namespace), &format!("owner={},name={name}", codec::OWNER)).await?;
        Ok(listing.releases.into_iter().last())
    }

    /// Every revision of every release of a namespace, or of all, without our own records.
    ///
    /// # Errors
    /// The API's refusals.
    pub async fn list(&self, namespace: Option<&str>) -> Result<Listing, StoreError> {
        self.search(namespace, &format!("owner={}", codec::OWNER)).await
    }

    async fn search(&self, namespace: Option<&str>, selector: &str) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        for secret in self.secrets(namespace, selector).await? {
            match read(&secret) {
                Ok(stored) => listing.releases.push(stored),
                Err(error) => listing.unreadable.push(error),
            }
        }
        listing.releases.sort_by(|a, b| {
            let key = |stored: &Stored| {
                (stored.record.namespace.clone(), stored.record.name.clone(), stored.record.version)
            };
            key(a).cmp(&key(b))
        });
        Ok(listing)
    }

    async fn secrets(&self, namespace: Option<&str>, selector: &str) -> Result<Vec<Object>, StoreError> {
        let collection = secrets_of(namespace)?;
        let mut options =
            ListOptions { label_selector: Some(selector.to_owned()), limit: PAGE, ..ListOptions::default() };
        let mut secrets = Vec::new();
        let mut restarts = 0;
        loop {
            match self.cluster.list(&collection, &options).await {
                Ok(page) => {
                    secrets.extend(page.items);
                    options.continue_token = page.continue_token;
                    if options.continue_token.is_none() {
                        return Ok(secrets);
                    }
                }
                // The list grew old between two pages: once more from the start.
                Err(error) if error.kind == ClusterErrorKind::Expired && restarts < 3 => {
                    restarts += 1;
                    secrets.clear();
                    options.continue_token = None;
                }
                Err(error) => return Err(StoreError::Cluster(error)),
            }
        }
    }
}

/// The version of our own record, unless it is of a release that is gone.
fn version_of(stored: &Stored, secret: &Object) -> Option<String> {
    stored.companion.as_ref().and_then(|_| secret.resource_version()).map(str::to_owned)
}

fn read(secret: &Object) -> Result<Stored, DecodeError> {
    let mut record = codec::decode(secret)?;
    if record.namespace.is_empty() {
        record.namespace = secret.namespace().unwrap_or_default().to_owned();
    }
    Ok(Stored {
        record,
        companion: None,
        labels: codec::user_labels(secret),
        uid: secret.uid().unwrap_or_default().to_owned(),
        resource_version: secret.resource_version().map(str::to_owned),
        companion_version: None,
    })
}

fn writing() -> WriteOptions {
    WriteOptions::by(FIELD_MANAGER)
}

/// Every API server has Secrets; asking discovery for them would cost each command a request.
fn secrets_resource() -> Resource {
    Resource {
        gvk: Gvk::new("v1", "Secret"),
        plural: Plural::new("secrets").expect("is a valid resource name"),
        namespaced: true,
    }
}

fn secrets_of(namespace: Option<&str>) -> Result<Collection, InvalidName> {
    Ok(Collection { resource: secrets_resource(), namespace: namespace.map(Namespace::new).transpose()? })
}

/// A Secret by name.
pub(crate) fn secret_at(namespace: &str, name: &str) -> Result<Target, InvalidName> {
    Ok(Target {
        resource: secrets_resource(),
        namespace: Some(Namespace::new(namespace)?),
        name: Name::new(name)?,
    })
}

#[cfg(test)]
mod tests;
