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
