//! Records that come in: what each does to the session, and what no honest peer sends.

use std::time::Instant;

use super::{Event, Item, Lane, Record, Role, Session, Violation, path::PathId};
use crate::protocol::message::Message;

impl Session {
    pub(super) fn receive(&mut self, now: Instant, id: PathId, lane: Lane, bytes: &[u8]) -> Result<(), Violation> {
        let Some(path) = self.paths.get_mut(&id) else { return Ok(()) };
        let record = Record::decode(lane, bytes)?;
        path.hear(now);
        if lane == Lane::Control && !path.is_attached() && !matches!(record, Record::Attach { .. }) {
            return Err(Violation("not attached"));
        }
        match record {
            Record::Attach { control, picture } => {
                path.attach()?;
                self.acknowledged(control, picture)
            }
            Record::Nominate { epoch } if self.role == Role::Host && epoch > path.epoch => {
                path.epoch = epoch;
                Ok(())
            }
            Record::Nominate { .. } => Err(Violation("not a nomination for this path")),
            Record::Message { seq, ack, message } => {
                self.acknowledged_messages(ack)?;
                self.receive_message(now, seq, message.into_owned())
            }
            Record::Ack { control, picture } => self.acknowledged(control, picture),
            Record::Ping { number } => {
                // After the end too: the peer must not take the path for dead on which it will hear of it.
                self.transmit(id, &Record::Pong { number, at: self.clock(now) });
                Ok(())
            }
            Record::Pong { number, at } => path.pong(now, number, at).map(|()| self.report_link(id)),
            Record::Picture { number, payload } => self.receive_picture(now, id, number, payload),
            Record::Arrived { picture, at } if self.role == Role::Host => {
                path.estimate.arrived(now, Item::Picture(picture), at);
                Ok(())
            }
            Record::Link { rate, queue } if self.role == Role::Viewer => {
                path.told = Some((rate, queue));
                Ok(())
            }
            Record::Chunk { number, payload } => self.receive_chunk(now, id, number, payload),
            Record::Reached { chunk, at } => {
                path.estimate.arrived(now, Item::Chunk(chunk), at);
                Ok(())
            }
            Record::Taken { below } => self.chunks_taken(below),
            Record::Arrived { .. } | Record::Link { .. } => Err(Violation("a record for the other direction")),
        }
    }

    fn acknowledged(&mut self, control: u64, picture: u64) -> Result<(), Violation> {
        self.acknowledged_messages(control)?;
        self.outgoing.acknowledge(picture)
    }

    fn acknowledged_messages(&mut self, next: u64) -> Result<(), Violation> {
        let before = self.outbox.delivered();
        self.outbox.acknowledge(next)?;
        let delivered = self.outbox.delivered();
        if delivered > before {
            self.tell(Event::Delivered(delivered));
        }
        Ok(())
    }

    fn receive_message(&mut self, now: Instant, seq: u64, message: Message) -> Result<(), Violation> {
        if !message.may_come_from(self.role.peer()) {
            return Err(Violation("a message for the other direction"));
        }
        if seq > self.acks.next {
            return Err(Violation("a message is missing"));
        }
        self.acks.owe(now);
        self.acks.urgent |= self.has_ended() || matches!(message, Message::End(_));
        if seq < self.acks.next {
            return Ok(());
        }
        self.acks.next += 1;
        match message {
            Message::End(reason) => {
                self.over(reason);
                self.outbox.clear();
            }
            message => self.tell(Event::Message(message)),
        }
        Ok(())
    }

    fn receive_picture(&mut self, now: Instant, id: PathId, number: u64, payload: &[u8]) -> Result<(), Violation> {
        if self.role == Role::Host {
            return Err(Violation("a picture for the other direction"));
        }
        if !self.has_ended() {
            self.transmit(id, &Record::Arrived { picture: number, at: self.clock(now) });
        }
        if !self.has_ended() && self.incoming.accept(number, payload.len())? {
            self.tell(Event::Picture(payload.to_vec()));
        }
        Ok(())
    }
}
