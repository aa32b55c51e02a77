//! kpkg-store
