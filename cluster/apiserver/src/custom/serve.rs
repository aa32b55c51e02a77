//! Serving what the stored definitions say.

use super::Custom;
use crate::{ApiServer, failure::Result, registry::well_known};
use std::sync::Arc;

impl ApiServer {
    /// Serves the custom kinds of all stored definitions, and no others, from now on.
    pub(crate) async fn serve_customs(&self) -> Result<()> {
        // One at a time, so that what is read later is also served later.
        let _turn = self.catalogs.turn().await;
        let definitions = self.shelf(well_known("apiextensions.k8s.io", "CustomResourceDefinition")).all(None).await?;
        let customs =
            definitions.iter().flat_map(|definition| Custom::all_of(&definition.value)).map(Arc::new).collect();
        self.catalogs.replace(customs);
        Ok(())
    }
}
