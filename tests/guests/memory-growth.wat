;; Takes memory, a megabyte at a time, for as long as it gets some.
(module
  (memory (export "memory") 1)
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable))
