// The style sheet of report.html. Colours are Okabe and Ito's, which readers with any common colour blindness tell
// apart; a dash tells the arms apart as well. Dark mode lightens them.
#pragma once

namespace absorb::report {

inline constexpr const char* style_sheet = R"css(
:root{--paper:#fff;--ink:#1c1e21;--soft:#5a6068;--rule:#d9dce0;--wash:#f5f6f8;--band:#e4e8ee;--accent:#0b5c8f;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b0568a;--c4:#b57a00;--c5:#3d8fc4;--c6:#7a5195;--c7:#6b7077;
--decided:#0b5c8f;--tie:#00704f;--open:#6b7077;--note:#8a4b00;--note-wash:#fdf3e3;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e4e6e9;--soft:#a3aab3;--rule:#363c44;--wash:#1d2126;
--band:#2a3038;--accent:#7cc0ee;--c0:#56b4e9;--c1:#f0884a;--c2:#3cc79b;--c3:#dd94bd;--c4:#e6b23a;--c5:#9ad0f2;
--c6:#b99ad8;--c7:#a3aab3;--decided:#7cc0ee;--tie:#5fd0a8;--open:#a3aab3;--note:#f2c078;--note-wash:#2d2417}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 "Source Serif 4",Charter,"Bitstream Charter",
Cambria,Georgia,"DejaVu Serif",serif;font-variant-numeric:lining-nums tabular-nums;overflow-wrap:break-word}
main,header,footer{max-width:1080px;margin:0 auto;padding:0 28px}
header{padding-top:40px}
h1{font-size:1.85rem;line-height:1.25;margin:.2rem 0 .6rem;font-weight:600;text-wrap:balance}
h2{font-size:1.2rem;margin:2.6rem 0 .7rem;padding-top:.7rem;border-top:1px solid var(--rule);font-weight:600}
p{margin:.5rem 0 .8rem;max-width:52rem}
a{color:var(--accent)}
.kicker,.meta,figcaption,caption,th,nav,.legend,.tag,svg text,table,footer{font-family:Inter,"Segoe UI",Roboto,
"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
.kicker{font-size:.82rem;letter-spacing:.06em;color:var(--soft);margin:0}
.meta{font-size:.86rem;color:var(--soft)}
.note{border-left:4px solid var(--note);background:var(--note-wash);color:var(--note);padding:.6rem .9rem;
margin:1rem 0;font-weight:600;max-width:none}
.answers{list-style:none;margin:.4rem 0 0;padding:0}
.answers li{padding:.15rem 0 .15rem 1rem;border-left:3px solid var(--rule);margin:.7rem 0;max-width:60rem}
.answers li.decided{border-color:var(--decided)}.answers li.tie{border-color:var(--tie)}
.tag{display:inline-block;font-size:.74rem;border:1px solid currentColor;border-radius:3px;padding:.02rem .4rem;
margin-right:.55rem;color:var(--open);vertical-align:.08em;white-space:normal}
.tag.decided{color:var(--decided)}.tag.tie{color:var(--tie)}
.scroll{overflow-x:auto;margin:.8rem 0 1.4rem;max-width:100%}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
table{border-collapse:collapse;font-size:.84rem;line-height:1.4;min-width:min(100%,34rem);
border-top:1.5px solid var(--ink);border-bottom:1.5px solid var(--ink)}
caption{caption-side:top;text-align:left;color:var(--soft);font-size:.84rem;padding:0 0 .5rem;max-width:60rem}
th,td{padding:.32rem .75rem .32rem 0;text-align:left;vertical-align:baseline}
th:last-child,td:last-child{padding-right:0}
thead th{border-bottom:1px solid var(--ink);font-weight:600;vertical-align:bottom}
tbody th{font-weight:500}
tbody tr+tr>*{border-top:1px solid var(--rule)}
.num{text-align:right;white-space:nowrap}
.fixed{table-layout:fixed;width:100%}
.fixed th{width:13rem}
.fixed td{overflow-wrap:anywhere;font-family:ui-monospace,"SFMono-Regular",Consolas,"DejaVu Sans Mono",monospace;
font-size:.8rem}
figure{margin:1rem 0 1.6rem}
figure.table figcaption{margin:1.4rem 0 .5rem}
figure.table .scroll{margin:0}
td.word{min-width:4rem}
tbody th.word{min-width:9.5rem}
figcaption{font-size:.86rem;line-height:1.5;color:var(--soft);max-width:60rem;margin-top:.5rem}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:8px 24px}
.small-panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));gap:10px 22px}
.small-panels .meta{margin:.1rem 0 .6rem}
.matrices{display:flex;flex-wrap:wrap;align-items:flex-start;gap:18px 30px}
.matrices svg{flex:0 1 auto}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--ink);font-size:12.5px}
svg .inverse{fill:var(--paper);font-weight:600;font-size:11px}
svg .soft{fill:var(--soft);font-size:11.5px}
svg .strong{font-weight:600}
svg .axis{stroke:var(--soft);stroke-width:1}
svg .grid{stroke:var(--rule);stroke-width:1}
svg .zero{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3}
svg .margin{fill:var(--band)}
svg .whisker{stroke-width:2.2;stroke:var(--mark,var(--ink))}
svg .documents{stroke-width:1.2;stroke:var(--mark,var(--ink));stroke-dasharray:2 2}
svg .dot{fill:var(--mark,var(--ink))}
svg .seed{fill:none;stroke:var(--mark,var(--ink));stroke-width:1;opacity:.65}
svg .guide{stroke:var(--soft);stroke-width:.9;stroke-dasharray:2 4}
.curve{fill:none;stroke:var(--mark);stroke-width:2;stroke-linejoin:round}
.spread{fill:var(--mark);opacity:.16}
.arm-0{--mark:var(--c0)}.arm-1{--mark:var(--c1)}.arm-2{--mark:var(--c2)}.arm-3{--mark:var(--c3)}
.arm-4{--mark:var(--c4)}.arm-5{--mark:var(--c5)}.arm-6{--mark:var(--c6)}.arm-7{--mark:var(--c7)}
.curve.arm-1{stroke-dasharray:7 3}.curve.arm-2{stroke-dasharray:2 3}.curve.arm-3{stroke-dasharray:9 3 2 3}
.curve.arm-4{stroke-dasharray:12 4}.curve.arm-5{stroke-dasharray:5 2 1 2 1 2}.curve.arm-6{stroke-dasharray:4 4}
.curve.arm-7{stroke-dasharray:1.5 2.5}
.curve.again{stroke-width:1.1}
.curve.thin{stroke-width:1.6}
svg .leader{stroke:var(--mark,var(--soft));stroke-width:.8;opacity:.8}
svg .label{font-size:11.5px}
svg .fit{stroke:var(--mark);stroke-width:1.3;opacity:.8}
svg .fit.target-moe{stroke-dasharray:7 3}svg .fit.target-both{stroke-dasharray:2 3}
.heat{fill:var(--accent);stroke:var(--paper);stroke-width:1.5}.heat.gain{fill:var(--c1)}
.heat-0{fill-opacity:.03}.heat-1{fill-opacity:.08}.heat-2{fill-opacity:.14}.heat-3{fill-opacity:.2}
.heat-4{fill-opacity:.26}.heat-5{fill-opacity:.32}.heat-6{fill-opacity:.38}.heat-7{fill-opacity:.44}
.heat-8{fill-opacity:.5}
svg .diagonal{fill:none;stroke:var(--ink);stroke-width:2}
.target-attention{--mark:var(--c0)}.target-moe{--mark:var(--c1)}.target-both{--mark:var(--c2)}
h3{font-size:1.02rem;margin:1.9rem 0 .4rem;font-weight:600}
.graph-panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));gap:16px 20px}
.graph-panels svg{max-width:420px!important}
@media (max-width:980px){.graph-panels{grid-template-columns:1fr}}
svg .layer{fill:var(--wash);stroke:var(--rule);stroke-width:1}
svg .block{fill:var(--soft)}
svg .box{fill:var(--paper);stroke:var(--soft);stroke-width:1}
svg .box.router{stroke:var(--ink);stroke-width:2}
svg .part{font-size:11.5px}
.edge .wire{fill:none;stroke:var(--mark);stroke-width:inherit;stroke-opacity:.85}
.edge .tip{fill:var(--mark);stroke:none}
.edge.own{--mark:var(--c0)}.edge.cross{--mark:var(--c1)}.edge.outside{--mark:var(--c7)}
.edge.cross .wire{stroke-dasharray:7 4}.edge.outside .wire{stroke-dasharray:2 3}
.edge.negative{--mark:var(--c3)}
.edge.pale{opacity:.4}
.edge:hover{--mark:var(--ink);opacity:1}
.weak{display:none}
svg .amount text{font-size:11px;font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:3.5px;
stroke-linejoin:round}
svg .bar{fill:var(--mark);stroke:var(--mark);stroke-width:1.5}svg .bar.target-moe{fill-opacity:.3}
.slider{font-family:Inter,"Segoe UI",Arial,"DejaVu Sans",sans-serif;font-size:.86rem;color:var(--soft)}
.slider input{vertical-align:middle;width:min(16rem,40vw);accent-color:var(--accent)}
.slider output{display:inline-block;min-width:1.6em;text-align:right}
.measure{margin:.6rem 0;padding-left:.1rem}.measure summary{font-weight:600}
.notes{font-size:.86rem;color:var(--soft);padding-left:1.2rem;max-width:60rem}
.how dt{font-weight:600;margin-top:1rem}.how dd{margin:0;font-size:.92rem}
.how :target,.how dt:target{background:var(--note-wash)}
details summary{cursor:pointer;font-family:Inter,"Segoe UI",Arial,"DejaVu Sans",sans-serif;font-size:.9rem;
color:var(--accent)}
footer{padding-top:1.5rem;padding-bottom:3rem;color:var(--soft);font-size:.82rem}
@media (max-width:820px){main,header,footer{padding-left:18px;padding-right:18px}h1{font-size:1.5rem}
.fixed th{width:9rem}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--rule:#ccc;--band:#e8e8e8}body{font-size:10pt}
main,header,footer{max-width:none;padding:0}.scroll{overflow:visible}table{font-size:7.5pt}
figure,tr,.answers li{break-inside:avoid}h2{break-after:avoid}}
)css";

}  // namespace absorb::report
