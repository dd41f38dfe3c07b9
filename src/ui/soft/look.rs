//! How our windows look, light and dark: quiet grounds, one accent, readable sizes.

use egui::{Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Visuals, vec2};
use egui_winit::winit::window::Theme as WindowTheme;

/// What people are to look at first; for buttons that go on.
pub(crate) const ACCENT: Color32 = Color32::from_rgb(0x1f, 0x6f, 0xd6);
/// Somebody else drives, or something ends.
pub(crate) const ALERT: Color32 = Color32::from_rgb(0xd6, 0x45, 0x1f);
/// All is well.
pub(crate) const GOOD: Color32 = Color32::from_rgb(0x2a, 0x9d, 0x5c);

/// The ground of a window, for the surface below the layer.
pub(crate) fn ground(is_dark: bool) -> u32 {
    if is_dark { 0x001c_1f24 } else { 0x00fb_fbfc }
}

/// The theme that `RS_THEME` names (`light` or `dark`), for desktops that tell none.
pub(super) fn wished() -> Option<WindowTheme> {
    match std::env::var("RS_THEME").as_deref() {
        Ok("dark") => Some(WindowTheme::Dark),
        Ok("light") => Some(WindowTheme::Light),
        _ => None,
    }
}

/// Sets sizes, spaces and colours for both themes.
pub(crate) fn dress(context: &Context) {
    context.options_mut(|options| options.fallback_theme = Theme::Light);
    context.all_styles_mut(|style| {
        let size = |size| FontId::new(size, FontFamily::Proportional);
        style.text_styles = [
            (TextStyle::Small, size(12.0)),
            (TextStyle::Body, size(14.5)),
            (TextStyle::Button, size(14.5)),
            (TextStyle::Heading, size(20.0)),
            (TextStyle::Monospace, FontId::new(14.0, FontFamily::Monospace)),
        ]
        .into();
        style.spacing.item_spacing = vec2(8.0, 7.0);
        style.spacing.button_padding = vec2(12.0, 6.0);
        style.spacing.interact_size.y = 28.0;
        style.spacing.icon_width = 18.0;
        style.spacing.icon_width_inner = 10.0;
        style.spacing.window_margin = Margin::same(14);
        style.interaction.selectable_labels = false;
        // A frame for each step of a fade is not worth its cost without a GPU.
        style.animation_time = 0.0;
    });
    for theme in [Theme::Light, Theme::Dark] {
        context.style_mut_of(theme, |style| style.visuals = visuals(theme));
    }
}

fn visuals(theme: Theme) -> Visuals {
    let grey = |light: [u8; 3], dark: [u8; 3]| {
        let [red, green, blue] = if theme == Theme::Dark { dark } else { light };
        Color32::from_rgb(red, green, blue)
    };
    let mut visuals = if theme == Theme::Dark { Visuals::dark() } else { Visuals::light() };
    let ground = grey([0xfb, 0xfb, 0xfc], [0x1c, 0x1f, 0x24]);
    let ink = grey([0x1b, 0x1f, 0x24], [0xec, 0xee, 0xf0]);
    let line = grey([0xd5, 0xd9, 0xde], [0x3a, 0x40, 0x48]);
    visuals.panel_fill = ground;
    visuals.window_fill = ground;
    visuals.window_stroke = Stroke::new(1.0, line);
    visuals.extreme_bg_color = grey([0xff, 0xff, 0xff], [0x12, 0x14, 0x17]);
    visuals.faint_bg_color = grey([0xf0, 0xf2, 0xf5], [0x25, 0x29, 0x30]);
    visuals.weak_text_color = Some(grey([0x5c, 0x65, 0x70], [0xa4, 0xad, 0xb7]));
    visuals.selection.bg_fill = ACCENT.gamma_multiply(0.25);
    visuals.selection.stroke = Stroke::new(1.5, grey([0x1f, 0x6f, 0xd6], [0x8f, 0xbc, 0xf8]));
    visuals.hyperlink_color = grey([0x1f, 0x6f, 0xd6], [0x6f, 0xa8, 0xf5]);
    let rest = grey([0xe9, 0xec, 0xf0], [0x2d, 0x32, 0x39]);
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, ink);
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, line);
    for (widget, fill, edge) in [
        (&mut widgets.inactive, rest, line),
        (&mut widgets.hovered, grey([0xdf, 0xe4, 0xea], [0x38, 0x3e, 0x47]), ACCENT),
        (&mut widgets.active, grey([0xd0, 0xd7, 0xe0], [0x44, 0x4b, 0x55]), ACCENT),
        (&mut widgets.open, rest, line),
    ] {
        (widget.bg_fill, widget.weak_bg_fill) = (fill, fill);
        widget.bg_stroke = Stroke::new(1.0, edge);
        widget.fg_stroke = Stroke::new(1.2, ink);
        widget.corner_radius = CornerRadius::same(6);
        widget.expansion = 0.0;
    }
    visuals
}
