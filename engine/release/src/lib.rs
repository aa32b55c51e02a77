//! kpkg-release
