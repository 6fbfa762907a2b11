//! Ordinary objects that leave a release.
