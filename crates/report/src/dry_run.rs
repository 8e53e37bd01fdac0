//! Plans as text and as JSON: exactly what would run where, in order, without what must not be shown.

use std::fmt::Write;

use dhow_plan::{Action, LocalStep, Plan, Stage, Step, Tolerate, Track, Work};
use dhow_text::redact::{REDACTED, Redactor};
use serde_json::{Map, Value, json};

/// A plan for people. Hosts that would do the same are shown together.
pub fn show_plan(plan: &Plan, redactor: &Redactor) -> String {
    let mut out = String::new();
    for stage in &plan.stages {
        let said = stage
            .say
            .as_ref()
            .map(|text| format!("  # {text}"))
            .unwrap_or_default();
        let _ = writeln!(out, "{}{said}", stage.name);
        out.push_str(&show_stage(stage));
        out.push('\n');
    }
    if plan.stages.is_empty() {
        out.push_str("Nothing would run.\n");
    }
    redactor.redact(out.trim_end_matches('\n')).into_owned() + "\n"
}

/// A plan as a JSON document: `{"v":1,"plan":[stage…]}`.
pub fn plan_json(plan: &Plan, redactor: &Redactor) -> String {
    let stages: Vec<Value> = plan.stages.iter().map(stage_json).collect();
    let mut document = json!({"v": dhow_run::VERSION, "plan": stages});
    redact(&mut document, redactor);
    format!("{document}\n")
}

fn show_stage(stage: &Stage) -> String {
    match &stage.work {
        Work::Local(steps) => {
            let lines: Vec<String> = steps.iter().map(local_line).collect();
            format!("  on this machine\n{}", indented(&lines))
        }
        Work::Hosts {
            tracks,
            parallel_roles,
        } => {
            let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
            for track in tracks {
                let who = match &track.role {
                    Some(role) => format!("{} ({role})", track.host),
                    None => track.host.clone(),
                };
                let lines = track_lines(track);
                match groups.iter_mut().find(|(_, known)| *known == lines) {
                    Some((hosts, _)) => hosts.push(who),
                    None => groups.push((vec![who], lines)),
                }
            }
            let roles = if *parallel_roles {
                ", roles of a host at once"
            } else {
                ""
            };
            groups
                .iter()
                .map(|(hosts, lines)| {
                    format!("  on {}{roles}\n{}", hosts.join(", "), indented(lines))
                })
                .collect()
        }
    }
}

fn track_lines(track: &Track) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(gate) = &track.waits_for {
        lines.push(format!(
            "# waits for the first healthy {} container",
            gate.0
        ));
    }
    lines.extend(track.steps.iter().map(step_line));
    if let Some(gate) = &track.opens {
        lines.push(format!(
            "# lets those go on that wait for {}, or stops them",
            gate.0
        ));
    }
    if !track.on_failure.is_empty() {
        lines.push("# only after a failure:".to_owned());
        lines.extend(track.on_failure.iter().map(step_line));
    }
    lines
}

fn step_line(step: &Step) -> String {
    let line = match &step.action {
        Action::Run(cmd) => format!("{}{}", cmd.redacted(), stdin_mark(cmd.input().is_some())),
        Action::Capture { name, cmd } => {
            format!(
                "{name}=$({}{})",
                cmd.redacted(),
                stdin_mark(cmd.input().is_some())
            )
        }
        Action::Upload(upload) => {
            let content = match upload.is_secret() {
                true => REDACTED.to_owned(),
                false => format!("{} bytes", upload.bytes().len()),
            };
            format!("upload {}  {:04o}  {content}", upload.path, upload.mode)
        }
        Action::Feed { cmd, content } => format!("{}  < {} bytes", cmd.redacted(), content.len()),
    };
    match &step.tolerate {
        Tolerate::Nothing => line,
        Tolerate::Anything => format!("{line}  # may fail"),
        Tolerate::Containing(text) => format!("{line}  # may fail saying `{text}`"),
    }
}

fn local_line(step: &LocalStep) -> String {
    match step {
        LocalStep::Hook { name, .. } => format!("hook {name}, if there is one"),
        LocalStep::Run {
            argv,
            shown,
            env,
            stdin,
            directory,
            tolerate,
            ..
        } => {
            let mut line = String::new();
            for (name, _) in env {
                let _ = write!(line, "{name}={REDACTED} ");
            }
            match shown {
                Some(shown) => line.push_str(shown),
                None => line.push_str(&argv.join(" ")),
            }
            line.push_str(stdin_mark(stdin.is_some()));
            if let Some(directory) = directory {
                let _ = write!(line, "  # in {directory}");
            }
            if *tolerate != Tolerate::Nothing {
                line.push_str("  # may fail");
            }
            line
        }
        LocalStep::Wait { seconds } => format!("wait {seconds} seconds"),
    }
}

fn stdin_mark(fed: bool) -> &'static str {
    if fed { " <<< [REDACTED]" } else { "" }
}

fn indented(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| format!("    {}\n", line.replace('\n', "\n      ")))
        .collect()
}

fn stage_json(stage: &Stage) -> Value {
    let mut object = Map::new();
    object.insert("stage".to_owned(), json!(stage.name));
    object.insert("say".to_owned(), json!(stage.say));
    match &stage.work {
        Work::Local(steps) => {
            object.insert("local".to_owned(), steps.iter().map(local_json).collect());
        }
        Work::Hosts {
            tracks,
            parallel_roles,
        } => {
            object.insert("parallel_roles".to_owned(), json!(parallel_roles));
            object.insert("tracks".to_owned(), tracks.iter().map(track_json).collect());
        }
    }
    Value::Object(object)
}

fn track_json(track: &Track) -> Value {
    json!({
        "host": track.host,
        "role": track.role,
        "waits_for": track.waits_for.as_ref().map(|gate| &gate.0),
        "opens": track.opens.as_ref().map(|gate| &gate.0),
        "steps": track.steps.iter().map(step_json).collect::<Vec<_>>(),
        "on_failure": track.on_failure.iter().map(step_json).collect::<Vec<_>>(),
    })
}

fn step_json(step: &Step) -> Value {
    let action = match &step.action {
        Action::Run(cmd) => json!({"run": cmd.redacted(), "stdin": cmd.input().is_some()}),
        Action::Capture { name, cmd } => {
            json!({"run": cmd.redacted(), "stdin": cmd.input().is_some(), "capture": name})
        }
        Action::Upload(upload) => json!({
            "upload": upload.path,
            "mode": format!("{:04o}", upload.mode),
            // The size of a secret says something about it.
            "bytes": (!upload.is_secret()).then(|| upload.bytes().len()),
        }),
        Action::Feed { cmd, content } => {
            json!({"run": cmd.redacted(), "stdin": true, "bytes": content.len()})
        }
    };
    let mut object = Map::new();
    object.insert("title".to_owned(), json!(step.title));
    if let Value::Object(fields) = action {
        object.extend(fields);
    }
    object.insert("tolerate".to_owned(), tolerate_json(&step.tolerate));
    object.insert("debug".to_owned(), json!(step.debug));
    object.insert("block".to_owned(), json!(step.block));
    Value::Object(object)
}

fn local_json(step: &LocalStep) -> Value {
    match step {
        LocalStep::Hook { name, secrets, .. } => json!({"hook": name, "secrets": secrets}),
        LocalStep::Run {
            title,
            argv,
            shown,
            env,
            stdin,
            directory,
            tolerate,
            ..
        } => json!({
            "title": title,
            "run": shown.as_ref().map_or_else(|| json!(argv), |line| json!(["sh", "-c", line])),
            "env": env.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "stdin": stdin.is_some(),
            "directory": directory,
            "tolerate": tolerate_json(tolerate),
        }),
        LocalStep::Wait { seconds } => json!({"wait": seconds}),
    }
}

fn tolerate_json(tolerate: &Tolerate) -> Value {
    match tolerate {
        Tolerate::Nothing => json!("nothing"),
        Tolerate::Anything => json!("anything"),
        Tolerate::Containing(text) => json!({"containing": text}),
    }
}

fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(clean) = redactor.redact(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|item| redact(item, redactor)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
