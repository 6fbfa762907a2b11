;; Wants more memory than a run may have before its first instruction.
(module
  (memory (export "memory") 2048)
  (func (export "boathook:hook/run@0.1.0#run") (result i32) i32.const 0))
