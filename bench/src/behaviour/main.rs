mod measure; mod replay; mod sets;
use deedtrail_behaviour::*; use measure::*; use replay::Replay; use sets::*;
use std::path::Path;
fn main(){
    let args: Vec<String> = std::env::args().collect();
    let (name, n, alpha, nn, na): (&str, usize, f64, f64, f64) = match args[1].as_str() { "q1"=>("hdfs",usize::MAX,0.001,553366.,16838.), "q2"=>("hdfs",1000,0.001,553366.,16838.), "q7"=>("openstack",usize::MAX,0.001,0.,0.), "q7c"=>("openstack_control",usize::MAX,0.001,0.,0.), _=>("adfa",usize::MAX,0.001,0.,0.)};
    let set = Set::read(&Path::new("/work/shared/data/behaviour").join(name)).unwrap();
    let mut r = Replay::new(Settings{budget: Budget::Share(alpha), learning: Learning::Everything, floor_nats: 0.0});
    let t=std::time::Instant::now();
    let mut tr: Vec<Assessment> = vec![];
    for s in set.train.iter().take(n) { tr.push(r.session(s)); }
    println!("train {:?} model {} B entries {} sessions {}", t.elapsed(), r.engine.model(r.identity()).unwrap().bytes(), r.engine.model(r.identity()).unwrap().entries(), r.engine.model(r.identity()).unwrap().sessions());
    println!("snapshot {} B; identity {} B", r.engine.snapshot().len(), r.engine.bytes(r.identity()));
    r.engine.set(Settings{budget: Budget::Share(alpha), learning: Learning::Paused, floor_nats: 0.0});
    let t=std::time::Instant::now();
    let mut go=|l:&Sessions|->Vec<Assessment>{l.iter().map(|s|r.session(s)).collect()};
    let no=go(&set.normal); let ab=go(&set.abnormal);
    println!("test {:?}", t.elapsed());
    let sc=|v:&[Assessment]|->Vec<f64>{v.iter().map(|a|a.score_nats).collect()};
    let ps=|v:&[Assessment]|->Vec<f64>{v.iter().map(|a|-a.p).collect()};
    println!("auc score {:.4} p {:.4}", auc(&sc(&no),&sc(&ab)), auc(&ps(&no),&ps(&ab)));
    for al in [0.0001,0.0003,0.001,0.002,0.005,0.01,0.02,0.05] { let f=share(&ps(&no),|p|-p<=al); let t=share(&ps(&ab),|p|-p<=al); let (nn,na)= if nn>0.0 {(nn,na)} else {(no.len() as f64, ab.len() as f64)}; println!("alpha {al}: fpr {:.5} ({}) tpr {:.5} F1 {:.4}", f, (f*no.len() as f64).round(), t, f1(f,t,nn,na)); }
    // what does the best threshold do
    let mut v=sc(&no); v.sort_by(f64::total_cmp); let mut w=sc(&ab); w.sort_by(f64::total_cmp); println!("normal top {:?}\nabnormal bottom {:?}", &v[v.len().saturating_sub(12)..], &w[..12.min(w.len())]);
    let mut t=sc(&tr); t.sort_by(f64::total_cmp); println!("train top {:?}", &t[t.len().saturating_sub(12)..]);
    for a in no.iter().filter(|a|a.p<0.002).take(6) { println!("FP {:.2} {:.5} {:#?}", a.score_nats,a.p, a.terms.iter().map(|t|format!("{:.1} {}",t.nats,t.sentence)).collect::<Vec<_>>()); }
    let mut abm: Vec<_>=ab.iter().collect(); abm.sort_by(|a,b|a.score_nats.total_cmp(&b.score_nats));
    for a in abm.iter().take(5) { println!("FN {:.2} {:.5} {:#?}", a.score_nats,a.p, a.terms.iter().map(|t|format!("{:.1} {}",t.nats,t.sentence)).collect::<Vec<_>>()); }
}
