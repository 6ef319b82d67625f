//! `python/src/adbc_driver_databricks/_options.py` is what the tables say.

#[path = "support/python_options.rs"]
mod python_options;

#[test]
fn options_py() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../python/src/adbc_driver_databricks/_options.py"
    );
    let module = std::fs::read_to_string(path).expect("_options.py exists");
    assert!(
        module == python_options::module(),
        "run: cargo run -p adbc-driver-databricks --example python_options > python/src/adbc_driver_databricks/_options.py"
    );
}

#[test]
fn no_two_options_of_an_object_have_the_same_name() {
    let module = python_options::module();
    for class in module.split("\nclass ").skip(1) {
        let names: Vec<_> = class
            .lines()
            .filter_map(|line| line.strip_prefix("    ")?.split_once(" = \""))
            .collect();
        for (place, (name, key)) in names.iter().enumerate() {
            assert!(
                names[..place].iter().all(|(other, _)| other != name),
                "{name} ({key}) is there twice"
            );
        }
    }
}
