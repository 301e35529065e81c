# gtkwave trace.vcd -S gtkwave.tcl : all cores, then all channels, by their whole names, numbers in decimal, over all time.
set names [list]
foreach group {cores channels transfers} {
    for {set i 0} {$i < [gtkwave::getNumFacs]} {incr i} {
        set name [gtkwave::getFacName $i]
        if {[string match "SystemC.$group.*" $name]} {
            lappend names $name
        }
    }
}
gtkwave::addSignalsFromList $names
gtkwave::/Edit/Toggle_Trace_Hier
gtkwave::/Edit/Highlight_All
gtkwave::/Edit/Data_Format/Decimal
gtkwave::/Edit/UnHighlight_All
gtkwave::/Time/Zoom/Zoom_Full
