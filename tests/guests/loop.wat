;; Never returns and calls nothing.
(module
  (memory (export "memory") 1)
  (func $spin (loop $again br $again))
  (func (export "boathook:hook/run@0.1.0#run") (result i32) call $spin i32.const 0))
