;; Reads outside its memory, three functions deep.
(module
  (memory (export "memory") 1)
  (func $read_setting (result i32) (i32.load (i32.const 0x7fffffff)))
  (func $_ZN6plugin9configure17h0123456789abcdefE (result i32) (call $read_setting))
  (func (export "boathook:hook/run@0.1.0#run") (result i32) (call $_ZN6plugin9configure17h0123456789abcdefE)))
