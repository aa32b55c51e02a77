//! From a question on the wire to an answer on the wire.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hickory_proto::op::{Edns, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

use super::forward::{Forwarder, Outcome};
use super::zone::{self, Answer, TTL, Zone};

/// What fits a UDP packet on every path (DNS flag day 2020).
const PAYLOAD: u16 = 1232;
const PAYLOAD_MIN: u16 = 512;
/// Aliases of aliases are followed this far.
const ALIASES: usize = 8;

/// Answers from the zone what is about the cluster, and has the rest asked elsewhere.
pub(super) struct Handler {
    pub(super) zone: Arc<RwLock<Zone>>,
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) turn: AtomicUsize,
}

/// An answer before it has a shape.
#[derive(Debug, Default)]
struct Reply {
    code: ResponseCode,
    authoritative: bool,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    additionals: Vec<Record>,
}

impl Reply {
    fn failed(code: ResponseCode) -> Self {
        Self { code, ..Self::default() }
    }
}

impl Handler {
    async fn reply(&self, request: &Request) -> Reply {
        if request.metadata.op_code != OpCode::Query {
            return Reply::failed(ResponseCode::NotImp);
        }
        if request.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
            return Reply::failed(ResponseCode::BADVERS);
        }
        let Ok(info) = request.request_info() else {
            return Reply::failed(ResponseCode::FormErr);
        };
        let kind = info.query.query_type();
        let refused = matches!(kind, RecordType::AXFR | RecordType::IXFR);
        if refused || !matches!(info.query.query_class(), DNSClass::IN | DNSClass::ANY) {
            return Reply::failed(ResponseCode::Refused);
        }
        // As the client wrote it: some compare the case of what comes back.
        let name = info.query.original().name().clone();
        if self.forwarder.is_probe(&name) {
            return Reply::failed(ResponseCode::Refused);
        }
        self.resolve(name, kind).await
    }

    /// Follows aliases until somebody has an answer: the clients' libraries do not.
    async fn resolve(&self, mut name: Name, kind: RecordType) -> Reply {
        let mut reply = Reply { authoritative: true, ..Reply::default() };
        for _ in 0..ALIASES {
            let answer = self.zone().answer(&name, kind);
            match answer {
                Some(Answer::Alias(target)) => {
                    let record = zone::alias(target.clone());
                    reply.answers.push(Record::from_rdata(name, TTL, record));
                    if matches!(kind, RecordType::CNAME | RecordType::ANY) {
                        return reply;
                    }
                    name = target;
                }
                Some(answer) => {
                    self.add(&mut reply, &name, answer);
                    return reply;
                }
                None => {
                    // What the zone said of it stands; that it is not the zone's is told too.
                    reply.authoritative = !reply.answers.is_empty();
                    let Outcome { code, answers, authorities } = self.forwarder.ask(name, kind).await;
                    reply.code = code;
                    reply.answers.extend(answers);
                    reply.authorities = authorities;
                    return reply;
                }
            }
        }
        Reply::failed(ResponseCode::ServFail)
    }

    fn add(&self, reply: &mut Reply, name: &Name, answer: Answer) {
        match answer {
            Answer::Found(mut records, extra) => {
                self.take_turns(&mut records);
                let record = |data| Record::from_rdata(name.clone(), TTL, data);
                reply.answers.extend(records.into_iter().map(record));
                let extra = extra.into_iter();
                reply.additionals = extra.map(|(n, data)| Record::from_rdata(n, TTL, data)).collect();
                return;
            }
            Answer::NoName => reply.code = ResponseCode::NXDomain,
            Answer::NoData | Answer::Alias(_) => {}
            Answer::NotReady => {
                *reply = Reply::failed(ResponseCode::ServFail);
                return;
            }
        }
        let (owner, soa) = self.zone().soa(name);
        reply.authorities.push(Record::from_rdata(owner, TTL, soa));
    }

    /// Most clients use the first address: it should not always be the same.
    fn take_turns(&self, records: &mut [RData]) {
        if records.len() > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            records.rotate_left(turn % records.len());
        }
    }

    fn zone(&self) -> std::sync::RwLockReadGuard<'_, Zone> {
        self.zone.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let reply = self.reply(request).await;
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = reply.code;
        metadata.authoritative = reply.authoritative;
        metadata.recursion_available = true;
        let edns = request.edns.as_ref().map(|asked| {
            let mut edns = Edns::new();
            // Also the limit by which the answer is cut.
            edns.set_max_payload(asked.max_payload().clamp(PAYLOAD_MIN, PAYLOAD));
            edns
        });
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &edns {
            builder.edns(edns);
        }
        let none: [Record; 0] = [];
        let message = builder.build(metadata, &reply.answers, &reply.authorities, &none, &reply.additionals);
        match response.send_response(message).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "a DNS answer could not be sent");
                metadata.response_code = ResponseCode::ServFail;
                let counts = hickory_proto::op::HeaderCounts::default();
                hickory_proto::op::Header { metadata, counts }.into()
            }
        }
    }
}
