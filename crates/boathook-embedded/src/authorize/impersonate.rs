//! Acting as somebody else: the headers `Impersonate-…`, and whether one may.

use http::HeaderMap;

use super::{Attributes, User, check, service_account};
use crate::names;
use crate::status::Refusal;
use crate::store::Store;

/// Who the headers ask to be, if they do.
///
/// # Errors
/// 400 for groups and such of nobody.
pub(crate) fn wanted(headers: &HeaderMap) -> Result<Option<Wanted>, Refusal> {
    let all = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect()
    };
    let first = |name: &str| all(name).into_iter().next().unwrap_or_default();
    let mut wanted = Wanted {
        name: first("impersonate-user"),
        uid: first("impersonate-uid"),
        groups: all("impersonate-group"),
        extra: Vec::new(),
    };
    for header in headers.keys().map(http::HeaderName::as_str) {
        if let Some(key) = header.strip_prefix("impersonate-extra-") {
            let key = crate::request::percent_decode(key).unwrap_or_else(|| key.to_owned());
            wanted.extra.push((key, all(header)));
        }
    }
    match (wanted.name.is_empty(), wanted.only_name()) {
        (true, true) => Ok(None),
        (true, false) => Err(Refusal::bad_request(format!(
            "requested {} without impersonating a user name",
            wanted.as_go()
        ))),
        (false, _) => Ok(Some(wanted)),
    }
}

/// Who is asked for.
pub(crate) struct Wanted {
    name: String,
    uid: String,
    groups: Vec<String>,
    extra: Vec<(String, Vec<String>)>,
}

impl Wanted {
    fn only_name(&self) -> bool {
        self.uid.is_empty() && self.groups.is_empty() && self.extra.is_empty()
    }

    /// As Go prints it.
    fn as_go(&self) -> String {
        let strings = |list: &[String]| match list {
            [] => "[]string(nil)".to_owned(),
            list => format!(
                "[]string{{{}}}",
                list.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ")
            ),
        };
        let extra: Vec<String> =
            self.extra.iter().map(|(key, values)| format!("{key:?}:{}", strings(values))).collect();
        let map = if extra.is_empty() { "(nil)".to_owned() } else { format!("{{{}}}", extra.join(", ")) };
        format!(
            "&user.DefaultInfo{{Name:\"\", UID:{:?}, Groups:{}, Extra:map[string][]string{map}}}",
            self.uid,
            strings(&self.groups)
        )
    }

    /// The user, if the one who asks may act as such in this request: by the verbs of one mode, or by the one verb of old.
    ///
    /// # Errors
    /// 403 of the first way that was tried.
    pub(crate) fn allowed_to(self, store: &Store, user: &User, asked: &Attributes) -> Result<User, Refusal> {
        let node = self.name.strip_prefix("system:node:").filter(|name| names::is_subdomain(name));
        let mode = match (node, service_account(&self.name)) {
            (Some(_), _) => self.only_name().then_some("arbitrary-node"),
            (None, Some(_)) => self.only_name().then_some("serviceaccount"),
            (None, None) => Some("user-info"),
        };
        let by_mode = mode.map(|mode| {
            let on = Attributes { verb: format!("impersonate-on:{mode}:{}", asked.verb), ..asked.clone() };
            check(store, user, &on)?;
            self.check(store, user, &format!("impersonate:{mode}"), "authentication.k8s.io")
        });
        match by_mode {
            Some(Ok(())) => {}
            Some(Err(refusal)) => self.check(store, user, "impersonate", "").map_err(|_| refusal)?,
            None => self.check(store, user, "impersonate", "")?,
        }
        Ok(User { uid: self.uid, extra: self.extra, ..User::new(&self.name, &self.groups) })
    }

    /// Whether each part may be taken on, by a verb; `group` is that of users and groups.
    fn check(&self, store: &Store, user: &User, verb: &str, group: &str) -> Result<(), Refusal> {
        let part = |group: &str, resource: &str, name: &str| Attributes {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        let constrained = verb != "impersonate";
        let who = match (service_account(&self.name), self.name.strip_prefix("system:node:")) {
            (Some((namespace, name)), _) => {
                Attributes { namespace: namespace.to_owned(), ..part(group, "serviceaccounts", name) }
            }
            (None, Some(node)) if constrained => part(group, "nodes", node),
            _ => part(group, "users", &self.name),
        };
        check(store, user, &who)?;
        if !self.uid.is_empty() {
            check(store, user, &part("authentication.k8s.io", "uids", &self.uid))?;
        }
        for name in &self.groups {
            let asked = part(group, "groups", name);
            if constrained && name == super::MASTERS {
                let why = "impersonating the system:masters group is not allowed";
                return Err(Refusal::not_authorized(&user.name, &asked, why));
            }
            check(store, user, &asked)?;
        }
        for (key, values) in &self.extra {
            for value in values {
                let subresource = key.clone();
                check(
                    store,
                    user,
                    &Attributes { subresource, ..part("authentication.k8s.io", "userextras", value) },
                )?;
            }
        }
        Ok(())
    }
}
