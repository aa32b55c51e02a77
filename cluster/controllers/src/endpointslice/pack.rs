//! Spreads endpoints over slices with few writes: an endpoint stays in its slice, new ones fill
//! slices that change anyway, then others with room, then new slices. Pure.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

/// Endpoints that one slice may hold.
pub(super) const SLICE_LIMIT: usize = 100;

/// The endpoints of one port list and family over its slices.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Packed {
    /// Slices with another content than now.
    pub(super) update: Vec<(Arc<EndpointSlice>, Vec<Endpoint>)>,
    /// Contents of new slices.
    pub(super) create: Vec<Vec<Endpoint>>,
    /// Slices with nothing left in them.
    pub(super) delete: Vec<Arc<EndpointSlice>>,
    /// Slices that stay as they are.
    pub(super) keep: Vec<Arc<EndpointSlice>>,
}

struct Bin {
    slice: Arc<EndpointSlice>,
    content: Vec<Endpoint>,
    changed: bool,
}

/// Packs `wanted` into `slices`.
pub(super) fn pack(wanted: Vec<Endpoint>, slices: &[Arc<EndpointSlice>]) -> Packed {
    let mut wanted: BTreeMap<String, Endpoint> =
        wanted.into_iter().map(|endpoint| (identity(&endpoint), endpoint)).collect();
    let mut bins: Vec<Bin> = slices.iter().map(|slice| Bin::keep_wanted(slice, &mut wanted)).collect();
    let mut fresh: Vec<Endpoint> = wanted.into_values().collect();
    // Slices that are written anyway first, fullest first: a write more is dearer than a gap.
    bins.sort_by_key(|bin| (!bin.changed, SLICE_LIMIT.saturating_sub(bin.content.len())));
    for bin in &mut bins {
        let room = SLICE_LIMIT.saturating_sub(bin.content.len()).min(fresh.len());
        if room > 0 && (!bin.content.is_empty() || bin.changed) {
            bin.content.extend(fresh.drain(..room));
            bin.changed = true;
        }
    }
    // An empty slice that nothing changed is a placeholder; it is used before another is made.
    for bin in bins.iter_mut().filter(|bin| bin.content.is_empty()) {
        let room = SLICE_LIMIT.min(fresh.len());
        bin.changed |= room > 0;
        bin.content.extend(fresh.drain(..room));
    }
    let mut packed = Packed::default();
    for mut bin in bins {
        if bin.content.is_empty() {
            packed.delete.push(bin.slice);
        } else if bin.changed {
            bin.content.sort_by_key(identity);
            packed.update.push((bin.slice, bin.content));
        } else {
            packed.keep.push(bin.slice);
        }
    }
    packed.create = fresh.chunks(SLICE_LIMIT).map(<[Endpoint]>::to_vec).collect();
    packed
}

impl Bin {
    /// Keeps of a slice what is wanted, in its wanted form, and takes that off the list.
    fn keep_wanted(slice: &Arc<EndpointSlice>, wanted: &mut BTreeMap<String, Endpoint>) -> Self {
        let present = slice.endpoints.as_deref().unwrap_or_default();
        let content: Vec<Endpoint> = present.iter().filter_map(|endpoint| wanted.remove(&identity(endpoint))).collect();
        let changed = content != present;
        Self { slice: slice.clone(), content, changed }
    }
}

/// What makes two endpoints one: the pod behind them.
fn identity(endpoint: &Endpoint) -> String {
    let target = endpoint.target_ref.as_ref();
    let part = |field: Option<&String>| field.cloned().unwrap_or_default();
    let name = part(target.and_then(|target| target.name.as_ref()));
    let uid = part(target.and_then(|target| target.uid.as_ref()));
    format!("{name}/{uid}/{}", endpoint.addresses.join(","))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;
    use kube::ResourceExt;

    use super::*;

    fn endpoints(range: std::ops::Range<usize>) -> Vec<Endpoint> {
        let endpoint = |index: usize| Endpoint {
            addresses: vec![format!("10.0.{}.{}", index / 250, index % 250)],
            target_ref: Some(ObjectReference { name: Some(format!("p{index:04}")), ..ObjectReference::default() }),
            ..Endpoint::default()
        };
        range.map(endpoint).collect()
    }

    fn slice(name: &str, content: Vec<Endpoint>) -> Arc<EndpointSlice> {
        let mut slice = EndpointSlice { endpoints: Some(content), ..EndpointSlice::default() };
        slice.metadata.name = Some(name.into());
        Arc::new(slice)
    }

    fn summary(packed: &Packed) -> (Vec<(String, usize)>, Vec<usize>, Vec<String>) {
        let updates = packed.update.iter().map(|(slice, content)| (slice.name_any(), content.len())).collect();
        let creates = packed.create.iter().map(Vec::len).collect();
        (updates, creates, packed.delete.iter().map(|slice| slice.name_any()).collect())
    }

    #[test]
    fn many_endpoints_fill_new_slices() {
        assert_eq!(summary(&pack(endpoints(0..250), &[])), (vec![], vec![100, 100, 50], vec![]));
    }

    #[test]
    fn an_unchanged_world_is_not_written() {
        let slices = [slice("a", endpoints(0..100)), slice("b", endpoints(100..120))];
        let packed = pack(endpoints(0..120), &slices);
        assert_eq!(summary(&packed), (vec![], vec![], vec![]));
        assert_eq!(packed.keep.len(), 2);
    }

    #[test]
    fn one_change_writes_one_slice() {
        let slices = [slice("a", endpoints(0..100)), slice("b", endpoints(100..120))];
        // One goes and one comes: the slice that loses takes in.
        let mut wanted = endpoints(1..121);
        assert_eq!(summary(&pack(wanted.clone(), &slices)), (vec![("a".into(), 100)], vec![], vec![]));
        // A mere change of an endpoint stays where it is.
        wanted = endpoints(0..120);
        wanted[110].hostname = Some("x".into());
        assert_eq!(summary(&pack(wanted, &slices)), (vec![("b".into(), 20)], vec![], vec![]));
    }

    #[test]
    fn room_is_used_before_slices_are_made_and_empty_ones_go() {
        let slices = [slice("a", endpoints(0..90)), slice("b", endpoints(200..210))];
        let packed = pack(endpoints(0..120), &slices);
        assert_eq!(summary(&packed), (vec![("b".into(), 30)], vec![], vec![]));
        let packed = pack(endpoints(0..90), &slices);
        assert_eq!(summary(&packed), (vec![], vec![], vec!["b".into()]));
    }
}
