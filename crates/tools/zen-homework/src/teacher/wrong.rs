//! Wrong solutions, each of which one case of a stage must catch.

use std::path::Path;

use super::source::{self, Files};
use super::verify::{Gate, told};
use crate::assignment::Stage;
use crate::stages::StageOutcome;
use crate::start::Start;
use crate::student::print;

/// A wrong solution: the stage and the case to catch it, and a patch.
struct Wrong {
    stage: String,
    fails: String,
    patch: Vec<u8>,
}

impl Wrong {
    fn read(name: &Path, bytes: &[u8]) -> Result<Self, String> {
        let name = name.to_string_lossy();
        let name = name.strip_suffix(".patch").ok_or("it is not a .patch")?;
        let (stage, _) =
            name.split_once('-').ok_or("its name is not STAGE-WHAT.patch")?;
        let text = String::from_utf8_lossy(bytes);
        let fails = text.lines().find_map(|line| line.strip_prefix("Fails: "));
        let fails = fails.ok_or("there is no line `Fails: CASE`")?;
        Ok(Self {
            stage: stage.into(),
            fails: fails.trim().into(),
            patch: bytes.to_vec(),
        })
    }
}

impl Gate<'_> {
    /// Each stage has to catch one.
    pub(super) fn try_wrong_ones(&mut self) -> Result<(), String> {
        let solution = self.solution()?;
        let mut caught = Vec::new();
        for (name, bytes) in
            source::files_below_if_any(&self.assignment.folder.join("wrong"))?
        {
            let shown = format!("wrong/{}", name.display());
            let wrong = Wrong::read(&name, &bytes);
            let tried = wrong.and_then(|wrong| {
                Ok((self.try_wrong_one(&wrong, &solution)?, wrong))
            });
            match tried {
                Ok((is_here, wrong)) => {
                    match is_here {
                        true => {
                            print(&format!(
                                "  {shown} fails {}\n",
                                wrong.fails
                            ))?;
                        }
                        false => self.left_out.push(shown),
                    }
                    caught.push(wrong.stage);
                }
                Err(what) => self.findings.push(format!("{shown}: {what}")),
            }
        }
        for Stage { name, .. } in &self.assignment.stages {
            self.require(caught.contains(name), || {
                format!("no wrong solution is caught by {name}")
            });
        }
        Ok(())
    }

    /// An error if it is not caught as it should be; false if this machine
    /// cannot build its language.
    fn try_wrong_one(
        &self,
        wrong: &Wrong,
        solution: &Files,
    ) -> Result<bool, String> {
        let files = self.patched(&wrong.patch, solution)?;
        if let Some(file) = &self.assignment.start {
            let folder = self.workshop.folder().join("wrong");
            if Start::load(&folder.join(file))?.missing().is_some() {
                return Ok(false);
            }
        }
        let examined = self.examine(&files, false)?;
        let failing = examined.failing()?;
        let why = told(&failing.outcome);
        if failing.name != wrong.stage {
            return Err(format!("{} fails, not that: {why}", failing.name));
        }
        let fails = &wrong.fails;
        match &failing.outcome {
            StageOutcome::Failed(_, cases)
                if cases.iter().any(|it| it.is_called(fails)) =>
            {
                Ok(true)
            }
            _ => Err(format!("it does not fail {fails}, but: {why}")),
        }
    }
}
