//! Prints the plugin's declaration; the build puts it into the component.

fn main() {
    println!("{}", ensure::declaration());
}
