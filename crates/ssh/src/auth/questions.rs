//! Ways to log in that ask the person at the terminal: the server's own questions, and passwords.

use russh::MethodKind;
use russh::client::{AuthResult, KeyboardInteractiveAuthResponse};

use super::attempt::{Attempt, Outcome, PATIENCE, Step};
use crate::settings::Question;

/// How often a password is asked for.
const PASSWORD_ATTEMPTS: u32 = 3;

/// How many rounds of questions a server may ask before it is told off.
const CHALLENGE_ROUNDS: usize = 16;

impl Attempt<'_> {
    pub(super) async fn challenge(&mut self) -> Step {
        let user = self.credentials.user.clone();
        let mut response = self
            .handle
            .authenticate_keyboard_interactive_start(user, None)
            .await;
        for _ in 0..CHALLENGE_ROUNDS {
            match response {
                Ok(KeyboardInteractiveAuthResponse::Success) => return Some(Outcome::Accepted),
                Ok(KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                }) => {
                    return self.refused(
                        "keyboard-interactive",
                        remaining_methods,
                        partial_success,
                    );
                }
                Ok(KeyboardInteractiveAuthResponse::InfoRequest {
                    instructions,
                    prompts,
                    ..
                }) => {
                    let mut answers = Vec::with_capacity(prompts.len());
                    for prompt in prompts {
                        let question = Question::Challenge {
                            account: self.account(),
                            instructions: instructions.clone(),
                            prompt: prompt.prompt,
                            echo: prompt.echo,
                        };
                        let Some(answer) = self.prompt.ask(question).await else {
                            self.tried.push(
                                "keyboard-interactive skipped: no answer was given".to_owned(),
                            );
                            return None;
                        };
                        answers.push(answer.reveal().to_owned());
                    }
                    response = self
                        .handle
                        .authenticate_keyboard_interactive_respond(answers)
                        .await;
                }
                Err(error) => {
                    self.tried
                        .push(format!("keyboard-interactive failed: {error}"));
                    return Some(Outcome::Closed(error.to_string()));
                }
            }
        }
        self.tried
            .push("keyboard-interactive skipped: the server asks without end".to_owned());
        None
    }

    pub(super) async fn password(&mut self) -> Step {
        for attempt in 1..=PASSWORD_ATTEMPTS {
            let question = Question::Password {
                account: self.account(),
                attempt,
            };
            let Some(password) = self.prompt.ask(question).await else {
                self.tried
                    .push("password skipped: none was given".to_owned());
                return None;
            };
            let request = self
                .handle
                .authenticate_password(self.credentials.user.clone(), password.reveal());
            match tokio::time::timeout(PATIENCE, request).await {
                Ok(Ok(AuthResult::Success)) => return Some(Outcome::Accepted),
                Ok(Ok(AuthResult::Failure {
                    remaining_methods,
                    partial_success,
                })) => {
                    let step = self.refused("password", remaining_methods, partial_success);
                    if step.is_some() || !self.allows(MethodKind::Password) {
                        return step;
                    }
                }
                Ok(Err(error)) => return Some(Outcome::Closed(error.to_string())),
                Err(_) => return Some(Outcome::Closed("no answer".to_owned())),
            }
        }
        None
    }

    fn account(&self) -> String {
        format!("{}@{}", self.credentials.user, self.credentials.host)
    }
}
