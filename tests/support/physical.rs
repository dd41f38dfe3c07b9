//! The person at the machine: a mouse and a keyboard that are not XTEST devices.
//!
//! `rs` tells the person from itself by the device an input event comes from. XTEST's `FakeInput` request can speak for any input
//! device when it carries XInput 1 event types (XTEST 2.2, "XTestFakeDevice…Event"), which is what libXtst's functions send and
//! what x11rb's request has no room for: a motion needs a second, 32-byte `DeviceValuator` record. So it is written out here.

use std::io::IoSlice;

use x11rb::{
    connection::{Connection, RequestConnection},
    protocol::{
        xinput::{self, ConnectionExt as _, DeviceType},
        xtest,
    },
    rust_connection::RustConnection,
};

/// XInput 1 event codes, counted from the extension's first event (XI.h).
mod event {
    pub(super) const VALUATOR: u8 = 0;
    pub(super) const KEY_PRESS: u8 = 1;
    pub(super) const KEY_RELEASE: u8 = 2;
    pub(super) const BUTTON_PRESS: u8 = 3;
    pub(super) const BUTTON_RELEASE: u8 = 4;
    pub(super) const MOTION: u8 = 5;
}

/// The request code of `FakeInput` in XTEST.
const FAKE_INPUT: u8 = 2;
/// In a device field: another record of the same event follows (XIproto.h).
const MORE_EVENTS: u8 = 0x80;

/// The mouse and the keyboard of the person at a display.
pub(crate) struct Physical<'a> {
    connection: &'a RustConnection,
    mouse: u8,
    keyboard: u8,
    /// XTEST's major opcode.
    xtest: u8,
    /// XInput's first event code.
    first_event: u8,
}

impl<'a> Physical<'a> {
    /// The devices of this display that are not XTEST's own.
    pub(crate) fn of(connection: &'a RustConnection) -> Self {
        let opcode = |name: &'static str| {
            let extension = connection.extension_information(name).expect("the display answers");
            extension.unwrap_or_else(|| panic!("the display has no {name} extension"))
        };
        Self {
            connection,
            mouse: device(connection, DeviceType::SLAVE_POINTER),
            keyboard: device(connection, DeviceType::SLAVE_KEYBOARD),
            xtest: opcode(xtest::X11_EXTENSION_NAME).major_opcode,
            first_event: opcode(xinput::X11_EXTENSION_NAME).first_event,
        }
    }

    /// The device number of the mouse.
    pub(crate) fn mouse(&self) -> u8 {
        self.mouse
    }

    /// The device number of the keyboard.
    pub(crate) fn keyboard(&self) -> u8 {
        self.keyboard
    }

    /// Moves the mouse by so many pixels.
    pub(crate) fn nudge(&self, dx: i32, dy: i32) {
        let relative = 1;
        self.fake(event::MOTION, relative, self.mouse, &[dx, dy]);
    }

    /// Moves the mouse in several steps, as a hand does.
    pub(crate) fn sweep(&self, dx: i32, dy: i32, steps: i32) {
        for _ in 0..steps {
            self.nudge(dx, dy);
        }
    }

    /// Presses and releases a button (1 is the left one).
    pub(crate) fn click(&self, button: u8) {
        self.fake(event::BUTTON_PRESS, button, self.mouse, &[]);
        self.fake(event::BUTTON_RELEASE, button, self.mouse, &[]);
    }

    /// Presses and releases a key.
    pub(crate) fn tap(&self, keycode: u8) {
        self.chord(&[keycode]);
    }

    /// Presses a key and keeps it down.
    pub(crate) fn press(&self, keycode: u8) {
        self.fake(event::KEY_PRESS, keycode, self.keyboard, &[]);
    }

    /// Lets go of a key.
    pub(crate) fn release(&self, keycode: u8) {
        self.fake(event::KEY_RELEASE, keycode, self.keyboard, &[]);
    }

    /// Presses these keys one after the other, and lets go of them.
    pub(crate) fn chord(&self, keycodes: &[u8]) {
        keycodes.iter().for_each(|keycode| self.press(*keycode));
        keycodes.iter().rev().for_each(|keycode| self.release(*keycode));
    }

    fn fake(&self, event: u8, detail: u8, device: u8, axes: &[i32]) {
        let more = if axes.is_empty() { 0 } else { MORE_EVENTS };
        let mut request = vec![self.xtest, FAKE_INPUT, 0, 0, self.first_event + event, detail];
        request.resize(35, 0); // pad, time (0: now), root and coordinates: unused for devices
        request.push(device | more);
        if !axes.is_empty() {
            let count = u8::try_from(axes.len()).expect("a mouse has few axes");
            request.extend([self.first_event + event::VALUATOR, device, 0, 0, 0, 0, count, 0]);
            request.extend((0..6).flat_map(|axis| axes.get(axis).copied().unwrap_or(0).to_ne_bytes()));
        }
        let words = u16::try_from(request.len() / 4).expect("a short request");
        request[2..4].copy_from_slice(&words.to_ne_bytes());
        let sent = self.connection.send_request_without_reply(&[IoSlice::new(&request)], Vec::new());
        sent.expect("the display takes requests").check().expect("the display has this device");
        self.connection.flush().expect("the display takes requests");
    }
}

/// The slave device of this kind that is not XTEST's: on Xvfb "Xvfb mouse" or "Xvfb keyboard".
fn device(connection: &RustConnection, kind: DeviceType) -> u8 {
    connection.xinput_xi_query_version(2, 2).expect("the display answers").reply().expect("XInput 2");
    let all = connection.xinput_xi_query_device(0_u16).expect("the display answers").reply().expect("the list of devices");
    let physical = |info: &&xinput::XIDeviceInfo| info.type_ == kind && !String::from_utf8_lossy(&info.name).contains("XTEST");
    let found = all.infos.iter().find(physical).expect("the display has a device that is not XTEST's");
    u8::try_from(found.deviceid).expect("device numbers are small")
}
