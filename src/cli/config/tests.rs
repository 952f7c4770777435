use super::*;

#[test]
fn every_option_of_the_command_can_be_set_in_a_file() {
    for argument in command().get_arguments().filter(|argument| argument.get_id() != OPTION) {
        assert!(
            settings::is_settable(argument),
            "{}: its action is none that files speak",
            argument
        );
    }
}

#[test]
fn places_count_from_one_and_in_characters() {
    let text = "a = 1\nmüll = 2\n";
    let at = |offset| {
        let mistake = Mistake { place: Some(Place::of(text, offset)), key: None, text: "x".into() };
        mistake.to_string()
    };
    assert_eq!([at(Some(0)), at(text.find('2'))], [":1:1: x", ":2:8: x"]);
    // The end, and beyond.
    assert_eq!([at(None), at(Some(99))], [":3:1: x", ":3:1: x"]);
}
