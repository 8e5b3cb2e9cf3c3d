//! As much of JSON Schema as `report.schema.json` uses. A keyword that is not
//! known here is an error: it would look as if it were checked.

use serde_json::Value;

/// What in `value` is not as `schema`, a part of `root`, says.
pub(crate) fn wrong(
    root: &Value,
    schema: &Value,
    value: &Value,
) -> Option<String> {
    let keywords = schema.as_object().expect("a schema is an object");
    keywords.iter().find_map(|(keyword, says)| {
        let is_right = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let path = says.as_str().unwrap().trim_start_matches('#');
                let part = root.pointer(path).expect("a $ref leads somewhere");
                return wrong(root, part, value);
            }
            "anyOf" => {
                let mut any = says.as_array().unwrap().iter();
                any.any(|schema| wrong(root, schema, value).is_none())
            }
            "const" => value == says,
            "enum" => says.as_array().unwrap().contains(value),
            "minimum" => {
                value.as_f64().is_none_or(|it| it >= says.as_f64().unwrap())
            }
            "type" => match says {
                Value::Array(types) => types.iter().any(|it| is(it, value)),
                one => is(one, value),
            },
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                return items.find_map(|item| wrong(root, says, item));
            }
            "properties" => {
                let mut known = says.as_object().unwrap().iter();
                return known.find_map(|(name, schema)| {
                    let why = wrong(root, schema, value.get(name)?)?;
                    Some(format!("{name}: {why}"))
                });
            }
            "required" => {
                let mut names = says.as_array().unwrap().iter();
                let has = |it: &Value| value.get(it.as_str().unwrap());
                !value.is_object() || names.all(|it| has(it).is_some())
            }
            "additionalProperties" => {
                assert_eq!(*says, Value::Bool(false));
                let known = &schema["properties"];
                let mut names = value.as_object().into_iter().flatten();
                names.all(|(name, _)| known.get(name).is_some())
            }
            other => panic!("the keyword {other} is not known here"),
        };
        (!is_right).then(|| format!("{value} is against {keyword}: {says}"))
    })
}

fn is(of_type: &Value, value: &Value) -> bool {
    match of_type.as_str().unwrap() {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("the type {other} is not known here"),
    }
}
