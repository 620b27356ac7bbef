"""The harness: from a protocol to the tables and figures in results/.

planning/ what is to be run -> executing/ runs it -> records/ what is there, ours and published -> analysis/ numbers ->
presenting/ files.  protocols/ and the scripts beside this file are the doors; docs/reproduce.md is the guide.
"""
