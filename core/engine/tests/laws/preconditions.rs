//! I-CAS: every delete insists on the UID and the version of the read that was checked, and every replace on a version that the controller
//! was told of. And a delete is carried out only while the replica that asked for it leads.

use crate::evidence::Timeline;
use crate::history::{Ask, Fact};

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let (mut found, mut leads) = (0, true);
    for (at, fact) in record.facts() {
        match fact {
            Fact::Leads(now) => leads = *now,
            Fact::Deleting { request, read, insists } => {
                found += 1;
                let key = &timeline.sent[request].1.key;
                if !leads {
                    return Err(format!("[{at}] {key} is deleted although another leads"));
                }
                if read != insists || insists.0.is_empty() || insists.1.is_empty() {
                    return Err(format!(
                        "[{at}] {key} is deleted as {insists:?}, and was read as {read:?}"
                    ));
                }
            }
            Fact::Sent(request) => {
                let Ask::Replace { version, .. } = &request.ask else {
                    continue;
                };
                found += 1;
                let told = timeline.told(&request.key, 0, at);
                if !told
                    .iter()
                    .any(|state| crate::objects::text(state, "/metadata/resourceVersion") == version)
                {
                    return Err(format!(
                        "[{at}] {} is replaced at {version:?}, which nobody told",
                        request.key
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

crate::search::law!(check, crate::generate::Bias::Prunes);
