//! kpkg-scheduler
