//! Which host to visit: those visited last, and a field for any other. What is typed narrows the list; Enter takes the marked one of
//! what is left of it, else what was typed. The arrows mark another one.

use egui::{Align, Button, Color32, Key, Layout, Margin, Modifiers, RichText, ScrollArea, TextEdit, TextStyle, Ui, vec2};

use super::{Wish, look};
use crate::ui::{
    event::{Known, ViewerAction},
    words,
};

/// How high the list is at most, and what the rest of its page takes.
const LIST: f32 = 250.0;
const AROUND: f32 = 300.0;

/// See the module.
#[derive(Default)]
pub(super) struct Choice {
    hosts: Vec<Known>,
    entry: String,
    /// Which of those that are listed is marked.
    marked: usize,
    focused: bool,
    /// An answer is on its way.
    answered: bool,
}

impl Choice {
    /// These are to choose from, now or once more.
    pub(super) fn offer(&mut self, hosts: &[Known]) {
        self.hosts = hosts.to_vec();
        (self.focused, self.answered) = (false, false);
    }

    /// Draws it. `wrong`: why the last answer was none.
    pub(super) fn show(&mut self, ui: &mut Ui, wrong: Option<&str>, wishes: &mut Vec<Wish>) {
        if let Some(wrong) = wrong {
            ui.label(RichText::new(wrong).color(look::ALERT));
        }
        let mut chosen = None;
        ui.add_enabled_ui(!self.answered, |ui| {
            // Before the field hears of them.
            let [up, down] =
                [Key::ArrowUp, Key::ArrowDown].map(|key| ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key)));
            let entry = TextEdit::singleline(&mut self.entry).hint_text("ID, link or name").desired_width(f32::INFINITY);
            let field = ui.add(entry.margin(Margin::symmetric(10, 8)).font(TextStyle::Heading));
            if !self.focused {
                field.request_focus();
                self.focused = !ui.is_sizing_pass() && field.enabled();
            }
            let listed: Vec<&Known> = self.hosts.iter().filter(|host| is_meant(host, &self.entry)).collect();
            self.marked = (self.marked + down).min(listed.len().saturating_sub(1)).saturating_sub(up);
            let answer = listed.get(self.marked).map_or_else(|| self.entry.trim().to_owned(), |host| host.id.clone());
            if !listed.is_empty() {
                ui.add_space(4.0);
                chosen = list(ui, &listed, self.marked, up + down > 0);
            }
            ui.add_space(6.0);
            let text = RichText::new("Connect").color(Color32::WHITE);
            let button = ui.add_enabled(!answer.is_empty(), Button::new(text).fill(look::ACCENT).min_size(vec2(240.0, 34.0)));
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            if (button.clicked() || entered) && !answer.is_empty() {
                chosen = Some(answer);
            } else if entered {
                field.request_focus();
            }
        });
        if let Some(chosen) = chosen {
            self.answered = true;
            wishes.push(Wish::Act(ViewerAction::Visit(chosen)));
        }
    }
}

/// The list; gives the ID of the host that was clicked. `moved`: the marked one is to be seen.
fn list(ui: &mut Ui, hosts: &[&Known], marked: usize, moved: bool) -> Option<String> {
    let height = (ui.ctx().content_rect().height() - AROUND).clamp(60.0, LIST);
    let rows = |ui: &mut Ui| {
        let mut clicked = None;
        for (index, host) in hosts.iter().enumerate() {
            let (id, last) = (words::plain(&host.id), words::plain(&host.last));
            let name = host.name.as_deref().map_or_else(|| id.clone(), words::plain);
            let button = Button::selectable(index == marked, RichText::new(name).strong()).shortcut_text(last).truncate();
            let row = ui.add(button).on_hover_text(id);
            if moved && index == marked {
                row.scroll_to_me(None);
            }
            if row.clicked() {
                clicked = Some(host.id.clone());
            }
        }
        clicked
    };
    let area = ScrollArea::vertical().max_height(height);
    area.show(ui, |ui| ui.with_layout(Layout::top_down_justified(Align::LEFT), rows).inner).inner
}

/// Whether this can be the host of which so much was typed.
fn is_meant(host: &Known, typed: &str) -> bool {
    let typed = typed.trim().to_lowercase();
    let digits = |text: &str| text.chars().filter(|letter| !"- ".contains(*letter)).collect::<String>();
    let named = host.name.as_deref().is_some_and(|name| name.to_lowercase().contains(&typed));
    named || digits(&host.id).starts_with(&digits(&typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_meant_by_a_part_of_its_name_or_the_beginning_of_its_id() {
        let host = Known { id: "9339-2522-7420-3124".to_owned(), name: Some("Anna's shop".to_owned()), last: String::new() };
        for typed in ["", " ", "shop", "ANNA", "9339", "933925", "9339 2522", "9339-2522-7420-3124"] {
            assert!(is_meant(&host, typed), "{typed}");
        }
        for typed in ["bert", "2522", "9339-2522-7420-3124@10.0.0.1:7000", "rs://9339-2522-7420-3124"] {
            assert!(!is_meant(&host, typed), "{typed}");
        }
    }
}
