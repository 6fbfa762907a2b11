//! boathook-sdk
