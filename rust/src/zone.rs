//! A view of the zone: immutable, looked up by every packet thread, replaced as a whole.
//!
//! Rules:
//! 1. A snapshot never changes. The next one shares with it everything that an update does not touch, so that a publish costs by what
//!    changed and not by the size of the zone.
//! 2. `publish` checks what it is given, because what stands in a snapshot is trusted on the packet threads.
//! 3. A name exists if it has a node, or names a namespace that holds an import (an empty non-terminal, RFC 8020).
//! 4. An old generation is freed by the publisher, never by a packet thread: it keeps each one until no reader has it any more.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use imbl::shared_ptr::ArcK;

use crate::name;
use crate::rrset::{Nodes, RRset, Records, write};

type Map<V> = imbl::GenericHashMap<Arc<[u8]>, V, foldhash::fast::RandomState, ArcK>;

/// One change of a view, taken over as a whole (`mcsdns.zone.rrset.Update`).
#[derive(Debug)]
pub struct Update<B> {
    /// Every member cluster has been heard. While it is false, a name that is not found is SERVFAIL.
    pub complete: bool,
    /// The zone's name: the same in every update of a view.
    pub zone: B,
    /// The SOA that negative answers carry: one record.
    pub soa: Records<B>,
    /// What the zone holds beside services; replaces the last one.
    pub apex: Nodes<B>,
    /// By owner name: what replaces the service, or None where it is gone.
    pub services: Vec<(B, Option<Nodes<B>>)>,
}

/// What is wrong with an update: a defect of what built it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// An owner name is no name in wire format.
    Name,
    /// The owner of a service does not stand two labels below `svc.<zone>`.
    Owner,
    /// RDATA of more than 65,535 octets.
    Rdata,
    /// The SOA is not one record.
    Soa,
}

impl std::fmt::Display for Defect {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str(match self {
            Self::Name => "expected owner names in wire format",
            Self::Owner => "expected services two labels below svc.<zone>",
            Self::Rdata => "expected RDATA of at most 65535 octets",
            Self::Soa => "expected one SOA record",
        })
    }
}

/// The RRsets of one owner name, in the order of their type.
pub type Node = Box<[RRset]>;

/// Names and what stands at them, sorted.
#[derive(Debug, Default)]
struct Names(Box<[(Box<[u8]>, Node)]>);

impl Names {
    fn new<B: AsRef<[u8]>>(nodes: &Nodes<B>) -> Result<Self, Defect> {
        let mut order: Vec<&(B, Vec<Records<B>>)> = nodes.iter().collect();
        order.sort_unstable_by(|one, other| one.0.as_ref().cmp(other.0.as_ref()));
        let find = |name: &[u8]| {
            let at = order.binary_search_by(|(owner, _)| owner.as_ref().cmp(name)).ok()?;
            order.get(at).map(|(_, records)| records.as_slice())
        };
        let mut made = Vec::with_capacity(order.len());
        for (owner, rrsets) in &order {
            let owner = owner.as_ref();
            if !name::is_well_formed(owner) {
                return Err(Defect::Name);
            }
            if rrsets.iter().flat_map(|rrset| &rrset.rdata).any(|rdata| rdata.as_ref().len() > 0xFFFF) {
                return Err(Defect::Rdata);
            }
            made.push((owner.into(), rrsets.iter().map(|records| RRset::new(owner, records, find)).collect()));
        }
        Ok(Self(made.into_boxed_slice()))
    }

    fn get(&self, name: &[u8]) -> Option<&Node> {
        let at = self.0.binary_search_by(|(owner, _)| owner.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, node)| node)
    }
}

/// What is found under a name.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// The name does not exist.
    Nothing,
    /// It exists, with these RRsets or none.
    Node(&'a [RRset]),
}

/// One generation of a view.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// As in `Update`.
    pub complete: bool,
    /// The name of the zone.
    pub zone: Arc<[u8]>,
    /// The SOA record of negative answers, behind its owner name.
    pub soa: Arc<[u8]>,
    depth: usize,
    services_owner: Arc<[u8]>,
    apex: Arc<Names>,
    services: Map<Arc<Names>>,
    namespaces: Map<u32>,
}

impl Snapshot {
    /// The zone before its first update.
    fn empty(zone: &[u8]) -> Self {
        Self {
            complete: false,
            zone: zone.into(),
            soa: Arc::default(),
            depth: name::labels(zone),
            services_owner: [b"\x03svc", zone].concat().into(),
            apex: Arc::default(),
            services: Map::default(),
            namespaces: Map::default(),
        }
    }

    /// Make the next generation.
    fn next<B: AsRef<[u8]>>(&self, update: &Update<B>) -> Result<Self, Defect> {
        let [soa] = update.soa.rdata.as_slice() else {
            return Err(Defect::Soa);
        };
        let mut next = self.clone();
        let mut octets = Vec::new();
        write(&[], &update.soa, soa.as_ref(), &mut octets);
        next.soa = octets.into();
        next.complete = update.complete;
        next.apex = Arc::new(Names::new(&update.apex)?);
        for (owner, nodes) in &update.services {
            next.replace(owner.as_ref(), nodes.as_ref())?;
        }
        Ok(next)
    }

    fn replace<B: AsRef<[u8]>>(&mut self, owner: &[u8], nodes: Option<&Nodes<B>>) -> Result<(), Defect> {
        let is_owner = name::is_well_formed(owner) && self.service_of(owner) == Some(owner);
        let namespace = name::suffixes(owner).nth(1).filter(|_| is_owner).ok_or(Defect::Owner)?;
        let was_there = match nodes {
            Some(nodes) => self.services.insert(owner.into(), Arc::new(Names::new(nodes)?)).is_some(),
            None => self.services.remove(owner).is_some(),
        };
        let count = self.namespaces.get(namespace).copied().unwrap_or_default();
        match (nodes.is_some(), was_there) {
            (true, false) => drop(self.namespaces.insert(namespace.into(), count + 1)),
            (false, true) if count > 1 => drop(self.namespaces.insert(namespace.into(), count - 1)),
            (false, true) => drop(self.namespaces.remove(namespace)),
            _ => {}
        }
        Ok(())
    }

    /// Tell whether a name is in the zone, existing or not: label by label and not as a string (CVE-2026-33489).
    #[must_use]
    pub fn holds(&self, name: &[u8]) -> bool {
        name::with_labels(name, self.depth) == Some(&self.zone)
    }

    /// Give the owner name of the service at or above a name in the zone.
    fn service_of<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        let owner = name::with_labels(name, self.depth + 3)?;
        (name::suffixes(owner).nth(2) == Some(&self.services_owner)).then_some(owner)
    }

    /// Look up a name in the zone, lower case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Found<'_> {
        if let Some(node) = self.apex.get(name) {
            return Found::Node(node);
        }
        let Some(owner) = self.service_of(name) else {
            return if self.namespaces.contains_key(name) { Found::Node(&[]) } else { Found::Nothing };
        };
        self.services.get(owner).and_then(|names| names.get(name)).map_or(Found::Nothing, |node| Found::Node(node))
    }
}

/// One view, as it is published and read.
#[derive(Debug, Default)]
pub struct View {
    current: ArcSwapOption<Snapshot>,
    /// Generations that were replaced while somebody read them. Whoever holds the lock publishes.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

impl View {
    /// Take over an update: readers see all of it or, before the call, nothing.
    ///
    /// # Errors
    /// Something in it cannot stand in a zone; nothing was taken over.
    pub fn publish<B: AsRef<[u8]>>(&self, update: &Update<B>) -> Result<(), Defect> {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let zone = update.zone.as_ref();
        if !name::is_well_formed(zone) || zone.len() < 2 {
            return Err(Defect::Name);
        }
        let next = match self.current.load_full() {
            Some(current) => current.next(update)?,
            None => Snapshot::empty(zone).next(update)?,
        };
        retired.extend(self.current.swap(Some(Arc::new(next))));
        // One that only stands here has no reader, and none can come.
        retired.retain(|old| Arc::strong_count(old) > 1);
        Ok(())
    }

    /// The current generation, for as long as the guard is held; None before the first publish.
    pub fn load(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.current.load()
    }
}
