;; Spins before it is even instantiated.
(module
  (memory (export "memory") 1)
  (func $spin (loop $again br $again))
  (start $spin)
  (func (export "boathook:hook/run@0.1.0#run") (result i32) i32.const 0))
