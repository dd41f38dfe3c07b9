//! Which input devices are real, and which carry injected input: the X server marks the latter with the property "XTEST Device".

use std::collections::BTreeMap;

use x11rb::{
    errors::{ConnectionError, ReplyError},
    protocol::{
        xinput::{self, ConnectionExt as _, DeviceClassData, InputStateData, ValuatorMode},
        xproto::{AtomEnum, BUTTON_RELEASE_EVENT, ConnectionExt as _, KEY_RELEASE_EVENT},
        xtest::ConnectionExt as _,
    },
    wrapper::ConnectionExt as _,
};

use super::Display;

/// What a device is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It carries injected input.
    Injected,
    /// A person's, and it tells how far it moved.
    Relative,
    /// A person's, and it tells where it is (tablets, virtual machines), or it does not move.
    Absolute,
}

/// All devices there are.
pub(super) fn devices(display: &Display) -> Result<BTreeMap<xinput::DeviceId, Kind>, ReplyError> {
    let x = &display.x;
    let property = x.intern_atom(false, b"XTEST Device")?.reply()?.atom;
    let found = x.xinput_xi_query_device(xinput::Device::ALL)?.reply()?.infos;
    let mut devices = BTreeMap::new();
    for device in found {
        let mark = x.xinput_xi_get_property(device.deviceid, false, property, AtomEnum::ANY.into(), 0, 1)?.reply();
        let is_injected = match mark {
            Ok(mark) => mark.num_items > 0,
            // Unplugged since the list was made.
            Err(ReplyError::X11Error(_)) => continue,
            Err(error) => return Err(error),
        };
        let is_relative = device.classes.iter().any(|class| match &class.data {
            DeviceClassData::Valuator(axis) => axis.number == 0 && axis.mode == ValuatorMode::RELATIVE,
            _ => false,
        });
        let kind = if is_injected {
            Kind::Injected
        } else if is_relative {
            Kind::Relative
        } else {
            Kind::Absolute
        };
        devices.insert(device.deviceid, kind);
    }
    Ok(devices)
}

/// Lets go of keys and buttons that a program held by XTEST and never released, as after a crash.
pub(super) fn sweep(display: &Display) -> Result<(), ReplyError> {
    let injecting = devices(display)?.into_iter().filter(|(_, kind)| *kind == Kind::Injected);
    for id in injecting.filter_map(|(id, _)| u8::try_from(id).ok()) {
        for class in display.x.xinput_query_device_state(id)?.reply()?.classes {
            match class.data {
                InputStateData::Key(state) => release(display, KEY_RELEASE_EVENT, &state.keys)?,
                InputStateData::Button(state) => release(display, BUTTON_RELEASE_EVENT, &state.buttons)?,
                _ => {}
            }
        }
    }
    display.x.sync()
}

/// Releases every code whose bit is set.
fn release(display: &Display, event: u8, held: &[u8; 32]) -> Result<(), ConnectionError> {
    let is_held = |code: &u8| held[usize::from(code / 8)] >> (code % 8) & 1 == 1;
    for code in (0..=u8::MAX).filter(is_held) {
        display.x.xtest_fake_input(event, code, x11rb::CURRENT_TIME, display.root, 0, 0, 0)?;
    }
    Ok(())
}
