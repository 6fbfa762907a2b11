//! boathook-embedded
