//! kpkg-yaml
